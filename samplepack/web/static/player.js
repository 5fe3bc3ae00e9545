// A sampler on Web Audio. It plays what a source gives it as SFZ players play a pack's maps: layers crossfade by velocity
// and mod wheel, loops hold a note until key-up, and the tail after the loop sounds while the note is released.

/**
 * A range of values from 0 to 127, with fades at its ends, as in `samplepack.formats.instrument.Range`.
 * @typedef {{low: number, high: number, lowFade: number, highFade: number}} Range
 *
 * One sound of a note.
 * @typedef {object} Region
 * @property {AudioBuffer} buffer
 * @property {number} root the key at which the buffer plays at its own pitch, MIDI
 * @property {number} [tuneCents] added to the pitch; 0
 * @property {number} [gainDb] 0
 * @property {?number} [loopStart] seconds; null: the sound has no loop
 * @property {?number} [loopEnd] seconds, the end of the loop's last frame
 * @property {?Range} [wheel] the positions of the mod wheel at which it is heard; it sounds from the start wherever
 *     the wheel is. null: the wheel doesn't matter
 * @property {?Range} [velocities] the velocities at which it is heard; null: all
 * @property {?number} [softCutoffHz] cutoff of the low-pass at velocity 20; null: velocity doesn't darken it
 * @property {number} [releaseS] the source's `playing.releaseS`, if left out
 *
 * What gives the sounds of notes.
 * @typedef {object} Source
 * @property {(key: number, velocity: number, strike: number) => Region[] | Promise<Region[]>} regions
 *     the sounds of a key, which was struck `strike` times before (for takes that play in turn); none, if it is empty
 * @property {Partial<Playing>} [playing]
 *
 * How an instrument answers to a player's hands; the names and units of `samplepack.formats.instrument.Playing`.
 * @typedef {object} Playing
 * @property {number} velocityTracking how strongly velocity controls the level, 0 to 1
 * @property {number} velocityPower the power of velocity that the level follows
 * @property {number} attackS
 * @property {number} releaseS
 * @property {number} bendRange semitones
 * @property {'aftertouch' | 'wheel' | 'none'} vibrato
 * @property {number} vibratoCents
 */

/** @type {Playing} */
const PLAYING = {
  velocityTracking: 0.8, velocityPower: 2, attackS: 0, releaseS: 0.8, bendRange: 2, vibrato: 'aftertouch',
  vibratoCents: 30,
};
const VIBRATO_HZ = 5.5;
const RELEASED = 1e-4; // -80 dB
const LEAST_FADE_S = 0.005; // short enough to go unheard, long enough not to click
const SMOOTH_S = 0.008; // time constant with which gains and pitch follow a controller
const OPEN_CUTOFF_HZ = 20000;
const SOFT_VELOCITY = 20;
const LATEST_S = 1;

const now = () => performance.now() / 1000;

/** The gain of a range at a value: linear in its fades, 0 outside. */
export function rangeGain(range, value) {
  if (!range) return 1;
  const rise = range.lowFade ? (value - range.low) / range.lowFade : Number(value >= range.low);
  const fall = range.highFade ? (range.high - value) / range.highFade : Number(value <= range.high);
  return Math.min(Math.max(Math.min(rise, fall), 0), 1);
}

/** The ranges of layers at positions (0 to 127, rising) of the wheel, for sounds that add up by level (equal gain). */
export function wheelRanges(positions) {
  return positions.map((_, i) => {
    const low = positions[Math.max(i - 1, 0)];
    const high = positions[Math.min(i + 1, positions.length - 1)];
    return {low, high, lowFade: positions[i] - low, highFade: high - positions[i]};
  });
}

/** Plays notes of a source. `output` has to be connected to something. */
export class Player {
  /**
   * @param {BaseAudioContext} context
   * @param {{polyphony?: number}} [options] how many notes sound at most, released ones included
   */
  constructor(context, {polyphony = 32} = {}) {
    this.context = context;
    this.polyphony = polyphony;
    /** @type {GainNode} */
    this.output = context.createGain();
    /** The notes that sound, the oldest first. @type {Voice[]} */
    this.voices = [];
    this._source = null;
    this._wheel = 0;
    this._bend = 0;
    this._pressure = 0;
    this._pedal = false;
    this._strikes = new Map(); // key → how often it was struck
    this._held = new Map(); // key → the strike that holds it
    this._generation = 0; // rises with each allOff, which ends strikes whose sounds are on their way
    this._lfo = context.createOscillator();
    this._lfo.frequency.value = VIBRATO_HZ;
    this._lfo.start();
  }

  /** @type {?Source} Notes that sound go on with their old source. */
  get source() {
    return this._source;
  }

  set source(source) {
    this._source = source;
    this._strikes.clear();
  }

  /**
   * Strike a key. It sounds at once if the source has its regions ready, else as soon as it has them: if it is still
   * held then, or was let go within the last second, when it sounds and is released.
   * @param {number} key MIDI
   * @param {number} velocity 1 to 127
   * @returns {?Voice | Promise<?Voice>} null: nothing sounds
   */
  noteOn(key, velocity) {
    if (!this._source) return null;
    this._release(key);
    const struck = {};
    this._held.set(key, struck);
    const strike = this._strikes.get(key) ?? 0;
    this._strikes.set(key, strike + 1);
    const playing = {...PLAYING, ...this._source.playing};
    const generation = this._generation;
    const askedS = now();
    const start = (regions) => {
      const isHeld = this._held.get(key) === struck;
      if (this._generation !== generation || (!isHeld && now() - askedS > LATEST_S)) return null;
      const voice = this._start(key, velocity, regions, playing);
      if (!isHeld && !this._pedal) voice?.release();
      return voice;
    };
    const regions = this._source.regions(key, velocity, strike);
    return Array.isArray(regions) ? start(regions) : regions.then(start);
  }

  /** Let a key go; its note is released, unless the pedal holds it. */
  noteOff(key) {
    this._held.delete(key);
    if (!this._pedal) this._release(key);
  }

  /** Press or let go the sustain pedal. */
  pedal(on) {
    this._pedal = on;
    if (on) return;
    for (const voice of [...this.voices]) if (!this._held.has(voice.key)) voice.release();
  }

  /** Move the mod wheel, 0 to 1, also under held notes. */
  wheel(value) {
    this._wheel = value;
    for (const voice of this.voices) voice.follow();
  }

  /** Bend the pitch, -1 to 1 of the source's range. */
  bend(value) {
    this._bend = value;
    for (const voice of this.voices) voice.follow();
  }

  /** Channel aftertouch, 0 to 1. */
  pressure(value) {
    this._pressure = value;
    for (const voice of this.voices) voice.follow();
  }

  /** Let all keys and the pedal go, and end all notes within some milliseconds. */
  allOff() {
    this._held.clear();
    this._pedal = false;
    this._generation += 1;
    for (const voice of [...this.voices]) voice.fade(LEAST_FADE_S);
  }

  /** Play what an element tells by the events of a `<sample-keyboard>`. */
  follow(element) {
    const events = {
      noteon: ({key, velocity}) => {
        if (this.context.state === 'suspended') this.context.resume?.();
        this.noteOn(key, velocity);
      },
      noteoff: ({key}) => this.noteOff(key),
      wheel: ({value}) => this.wheel(value),
      bend: ({value}) => this.bend(value),
      pressure: ({value}) => this.pressure(value),
      pedal: ({on}) => this.pedal(on),
      alloff: () => this.allOff(),
    };
    for (const [name, act] of Object.entries(events)) element.addEventListener(name, (event) => act(event.detail));
  }

  _release(key) {
    for (const voice of [...this.voices]) if (voice.key === key) voice.release();
  }

  _start(key, velocity, regions, playing) {
    const audible = regions.filter((region) => rangeGain(region.velocities, velocity) > 0);
    if (!audible.length) return null;
    while (this.voices.length >= this.polyphony) {
      const levels = this.voices.map((voice) => voice.level(this.context.currentTime));
      this.voices[levels.indexOf(Math.min(...levels))].fade(LEAST_FADE_S);
    }
    const voice = new Voice(this, key, velocity, audible, playing);
    this.voices.push(voice);
    return voice;
  }
}

/** A note that sounds. */
class Voice {
  constructor(player, key, velocity, regions, playing) {
    this.player = player;
    this.key = key;
    this.velocity = velocity;
    this.isReleased = false;
    this._playing = playing;
    const {context} = player;
    this._startedS = context.currentTime;
    this._level = 1 - playing.velocityTracking * (1 - (velocity / 127) ** playing.velocityPower);
    this._releaseS = Math.max(LEAST_FADE_S, ...regions.map((region) => region.releaseS ?? playing.releaseS));
    this._envelope = context.createGain();
    this._envelope.connect(player.output);
    this._fall = null; // when the release began, from which gain, over which time
    if (playing.attackS > 0) {
      this._envelope.gain.setValueAtTime(0, this._startedS);
      this._envelope.gain.linearRampToValueAtTime(1, this._startedS + playing.attackS);
    }
    this._vibrato = context.createGain();
    this._vibrato.gain.value = 0;
    player._lfo.connect(this._vibrato);
    this._sounds = regions.map((region) => this._sound(region));
    this._left = this._sounds.length;
    this.follow(true);
    for (const {node} of this._sounds) node.start(this._startedS);
  }

  _sound(region) {
    const {context} = this.player;
    const node = context.createBufferSource();
    node.buffer = region.buffer;
    if (region.loopEnd != null) {
      node.loop = true;
      node.loopStart = region.loopStart;
      node.loopEnd = region.loopEnd;
    }
    const gain = context.createGain();
    const cents = 100 * (this.key - region.root) + (region.tuneCents ?? 0);
    const fixed = this._level * rangeGain(region.velocities, this.velocity) * 10 ** ((region.gainDb ?? 0) / 20);
    const cutoffHz = velocityCutoffHz(region.softCutoffHz, this.velocity);
    if (cutoffHz < OPEN_CUTOFF_HZ) {
      const filter = context.createBiquadFilter();
      filter.type = 'lowpass';
      filter.Q.value = 0; // dB: no resonance
      filter.frequency.value = Math.min(cutoffHz * 2 ** (cents / 1200), context.sampleRate / 2);
      node.connect(filter).connect(gain);
    } else {
      node.connect(gain);
    }
    gain.connect(this._envelope);
    this._vibrato.connect(node.playbackRate);
    node.onended = () => {
      gain.disconnect();
      this._vibrato.disconnect(node.playbackRate);
      if (--this._left === 0) this._end();
    };
    return {region, node, gain, fixed, cents};
  }

  /** Bring gains and pitch to where the controllers are. */
  follow(atOnce = false) {
    const {_wheel: wheel, _bend: bend, _pressure: pressure, context} = this.player;
    const {bendRange, vibrato, vibratoCents} = this._playing;
    const set = (parameter, value) =>
      atOnce ? (parameter.value = value) : parameter.setTargetAtTime(value, context.currentTime, SMOOTH_S);
    let rate = 1;
    for (const sound of this._sounds) {
      rate = 2 ** ((sound.cents + 100 * bendRange * bend) / 1200);
      set(sound.node.playbackRate, rate);
      set(sound.gain.gain, sound.fixed * rangeGain(sound.region.wheel, 127 * wheel));
    }
    const depth = vibrato === 'wheel' ? wheel : vibrato === 'aftertouch' ? pressure : 0;
    set(this._vibrato.gain, rate * (2 ** ((vibratoCents * depth) / 1200) - 1));
  }

  /** Leave the loop and fall by 80 dB in the release time. */
  release() {
    if (this.isReleased) return;
    this.isReleased = true;
    for (const {node} of this._sounds) node.loop = false;
    this._fallBy(this._releaseS);
  }

  /** End within a time, whatever the note does; it no longer counts as one of the player's. */
  fade(timeS) {
    this.isReleased = true;
    this._remove();
    this._fallBy(timeS);
  }

  _fallBy(timeS) {
    const beginS = this.player.context.currentTime;
    const gain = Math.max(this._gainAt(beginS), RELEASED);
    this._fall = {beginS, gain, timeS};
    const parameter = this._envelope.gain;
    parameter.cancelScheduledValues(beginS); // cancelAndHoldAtTime isn't everywhere
    parameter.setValueAtTime(gain, beginS);
    parameter.exponentialRampToValueAtTime(gain * RELEASED, beginS + timeS);
    for (const {node} of this._sounds) node.stop(beginS + timeS);
  }

  _gainAt(timeS) {
    if (this._fall) {
      const {beginS, gain, timeS: fallS} = this._fall;
      return gain * RELEASED ** Math.min((timeS - beginS) / fallS, 1);
    }
    const {attackS} = this._playing;
    return attackS > 0 ? Math.min((timeS - this._startedS) / attackS, 1) : 1;
  }

  /** How loud the note is: the largest sample around where its sounds are. */
  level(timeS) {
    let level = 0;
    for (const {region, node, gain} of this._sounds) {
      const {buffer} = region;
      let atS = (timeS - this._startedS) * node.playbackRate.value;
      if (node.loop && atS > node.loopEnd) {
        atS = node.loopStart + ((atS - node.loopStart) % (node.loopEnd - node.loopStart));
      }
      const first = Math.floor(atS * buffer.sampleRate);
      const samples = buffer.getChannelData(0).subarray(first, first + 1024);
      level += samples.reduce((most, x) => Math.max(most, Math.abs(x)), 0) * gain.gain.value;
    }
    return level * this._gainAt(timeS);
  }

  _remove() {
    const at = this.player.voices.indexOf(this);
    if (at >= 0) this.player.voices.splice(at, 1);
  }

  _end() {
    this._remove();
    this._envelope.disconnect();
    this.player._lfo.disconnect(this._vibrato);
  }
}

function velocityCutoffHz(softCutoffHz, velocity) {
  if (softCutoffHz == null) return OPEN_CUTOFF_HZ;
  // SFZ's curve √(1 - v): the cutoff in octaves below the open one.
  const share = Math.sqrt((1 - velocity / 127) / (1 - SOFT_VELOCITY / 127));
  return OPEN_CUTOFF_HZ * (softCutoffHz / OPEN_CUTOFF_HZ) ** share;
}

/**
 * A node that passes sound as it is up to -3 dB and bends what is louder, so that chords don't clip. It has no latency.
 * @param {BaseAudioContext} context
 * @returns {{input: AudioNode, output: AudioNode}}
 */
export function softLimit(context) {
  const most = 8; // what the curve covers: eight times full scale
  const straight = 0.7;
  const input = context.createGain();
  input.gain.value = 1 / most;
  const shaper = context.createWaveShaper();
  shaper.curve = Float32Array.from({length: 16385}, (_, i) => {
    const x = most * (i / 8192 - 1);
    const over = Math.abs(x) - straight;
    return over <= 0 ? x : Math.sign(x) * (straight + (1 - straight) * Math.tanh(over / (1 - straight)));
  });
  input.connect(shaper);
  return {input, output: shaper};
}
