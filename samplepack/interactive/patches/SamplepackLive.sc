// Plays samplepack live from SuperCollider: notes of any timbre, as files that the server makes.
//
// Put this file into Platform.userExtensionDir and recompile the class library. Then, beside `samplepack live starter`:
//
//   s.boot;
//   p = SamplepackLive.new;            // port 9000; SamplepackLive.new(9100) for another one
//   p.roll(\A, \B);                    // two random timbres
//   p.slerp(\A, \B, \C, 0.5);          // a timbre between them
//   x = p.note(\C, 60, 100);           // a note, which sounds once its file is there
//   p.release(x);

SamplepackLive {
	var <net, <server, <number = 0, pending, voices, responders;

	*new { |port = 9000, server|
		^super.new.init(port, server ? Server.default)
	}

	init { |port, aServer|
		net = NetAddr("127.0.0.1", port);
		server = aServer;
		pending = IdentityDictionary.new;
		voices = IdentityDictionary.new;
		responders = [
			OSCFunc({ |message| this.answered(message) }, '/samplepack/answer'),
			OSCFunc({ |message| this.failed(message) }, '/samplepack/error'),
			OSCFunc({ |message| this.failed(message) }, '/samplepack/dropped')
		];
	}

	// Ask for a verb; the function gets the results.
	ask { |verb, arguments, action|
		number = number + 1;
		pending[number] = action;
		net.sendMsg("/samplepack/" ++ verb, number, *arguments);
		^number
	}

	load { |what| ^this.ask(\load, [what].reject(_.isNil), { |results| results.postln }) }

	roll { |... names| ^this.ask(\randomize_z, names) }

	slerp { |z0, z1, destination, amount| ^this.ask(\slerp_z, [z0, z1, destination, amount]) }

	draw { |z, values| ^this.ask(\set_z, [z] ++ values) }

	favourite { |z, name| ^this.ask(\favourite, [z, name]) }

	hallucinate { |notes = 8, steps = 4, action| ^this.ask(\hallucinate, [\walk, notes, steps], action) }

	note { |timbre, key = 60, velocity = 100|
		^this.ask(\render, [timbre, key, velocity], { |results, number| this.play(results, number) })
	}

	// Results: path, key, rendered key, gain, rate, frames, first and last frame of the loop (-1: none), settled.
	play { |results, number|
		Buffer.read(server, results[0].asString, action: { |buffer|
			var start = results[6], end = results[7], ratio = (results[1] - results[2]).midiratio;
			voices[number] = {
				var phase, rate = BufRateScale.kr(buffer) * ratio;
				phase = if(end > 0) {
					var first = Line.ar(0, end + 1, (end + 1) / (BufSampleRate.kr(buffer) * ratio));
					var round = Phasor.ar(first >= (end + 1), rate, start, end + 1, start);
					Select.ar(first >= (end + 1), [first, round])
				} {
					Phasor.ar(0, rate, 0, BufFrames.kr(buffer) * 2)
				};
				BufRd.ar(1, buffer, phase, 0, 4) * results[3] * EnvGen.kr(Env.asr(0.001, 1, 0.3), \gate.kr(1), doneAction: 2) ! 2
			}.play(server).onFree({ buffer.free });
		})
	}

	release { |number|
		voices.removeAt(number).do { |synth| synth.set(\gate, 0) };
		pending.removeAt(number)
	}

	answered { |message|
		var action = pending.removeAt(message[1].asInteger);
		action.value(message[3..], message[1].asInteger)
	}

	failed { |message|
		pending.removeAt(message[1].asInteger);
		("samplepack: % %".format(message[2], message[3])).warn
	}

	free { responders.do(_.free) }
}
