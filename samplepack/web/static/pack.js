// The sounds of an instrument of a page, for the player: files that are fetched and decoded when they are played, or ahead.

const MENDED_S = 0.01;
const AT_ONCE = 4;

export class PackSource {
  /**
   * @param {BaseAudioContext} context decodes the files; its rate should be theirs, so that loops keep whole frames
   * @param {object} instrument as `samplepack.web.site` describes it
   * @param {string | URL} base the address that the files are relative to
   */
  constructor(context, instrument, base) {
    this.instrument = instrument;
    this.playing = instrument.playing;
    this._context = context;
    this._base = base;
    this._buffers = new Map(); // file → AudioBuffer, or the promise of it
  }

  /** See `Source.regions` in player.js. */
  regions(key, velocity, strike) {
    const zones = this.instrument.zones.filter(
      (zone) =>
        zone.keys[0] <= key && key <= zone.keys[1] &&
        zone.velocities.low <= velocity && velocity <= zone.velocities.high &&
        strike % zone.turns === zone.turn - 1,
    );
    const buffers = zones.map((zone) => this._buffer(zone));
    if (buffers.every((buffer) => buffer instanceof AudioBuffer)) return regionsOf(zones, buffers);
    return Promise.all(buffers).then((loaded) => regionsOf(zones, loaded));
  }

  /**
   * Fetch and decode all sounds, those of the middle keys first.
   * @param {(done: number, total: number) => void} tell
   * @param {AbortSignal} signal ends it early
   */
  async load(tell, signal) {
    const zones = [...new Map(this.instrument.zones.map((zone) => [zone.file, zone])).values()];
    zones.sort((a, b) => Math.abs(a.root - 60) - Math.abs(b.root - 60));
    const total = zones.length;
    let done = 0;
    const work = async () => {
      for (let zone; !signal.aborted && (zone = zones.shift()); ) {
        await this._buffer(zone);
        tell(++done, total);
      }
    };
    await Promise.all(Array.from({length: AT_ONCE}, work));
  }

  _buffer(zone) {
    if (!this._buffers.has(zone.file)) {
      const buffer = this._decode(zone);
      this._buffers.set(zone.file, buffer);
      buffer.then(
        (loaded) => this._buffers.set(zone.file, loaded),
        () => this._buffers.delete(zone.file), // the next time may succeed
      );
    }
    return this._buffers.get(zone.file);
  }

  async _decode(zone) {
    const answer = await fetch(new URL(zone.file, this._base));
    if (!answer.ok) throw new Error(`The server answered ${answer.status} for a sound.`);
    const encoded = await answer.arrayBuffer();
    let buffer;
    try {
      buffer = await this._context.decodeAudioData(encoded);
    } catch {
      const codec = zone.file.endsWith('.opus') ? 'Opus in Ogg; Safari can from version 18.4' : 'FLAC';
      throw new Error(`This browser can't decode ${codec}.`);
    }
    if (this.instrument.isLossy && zone.loop) mend(buffer, ...zone.loop);
    return buffer;
  }
}

function regionsOf(zones, buffers) {
  return zones.map((zone, i) => ({
    buffer: buffers[i],
    root: zone.root,
    loopStart: zone.loop?.[0] ?? null,
    loopEnd: zone.loop?.[1] ?? null,
    velocities: zone.velocities,
    wheel: zone.wheel,
    softCutoffHz: zone.softCutoffHz,
  }));
}

/**
 * Make the two ends of a loop meet again, which a lossy codec moved apart: around the loop's end, the sound fades to what
 * lies around its start, and back. Both are the same but for the codec.
 */
export function mend(buffer, loopStart, loopEnd) {
  const start = Math.round(loopStart * buffer.sampleRate);
  const end = Math.round(loopEnd * buffer.sampleRate);
  const reach = Math.min(Math.round(MENDED_S * buffer.sampleRate), start, end - start);
  for (let channel = 0; channel < buffer.numberOfChannels; channel++) {
    const samples = buffer.getChannelData(channel);
    const around = samples.slice(start - reach, start + reach);
    for (let i = -reach; i < reach && end + i < buffer.length; i++) {
      const share = 1 - Math.abs(i) / reach;
      samples[end + i] += share * (around[reach + i] - samples[end + i]);
    }
  }
}
