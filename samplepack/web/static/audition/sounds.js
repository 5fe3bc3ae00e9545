// Sounds of the server as sources of the player: notes come when they are asked for, and are replaced silently by those
// that a pack will hold once their instrument is finished as a whole.
import {bytes, post} from './server.js';

const MOST_BUFFERS = 200;
const EQUAL_LUFS = -20;

export class Sounds {
  constructor(context) {
    this.context = context;
    this._buffers = new Map(); // address → promise of an AudioBuffer, the longest unheard first
    this._sources = new Map(); // sound as JSON → source
    this.isEqual = false;
  }

  /** The source of a sound: `{name}` of an instrument of the recipe, or `{timbre}`. */
  source(sound, recipeVersion) {
    const id = JSON.stringify([sound, recipeVersion]);
    const found = this._sources.get(id) ?? new ServerSource(this, sound);
    this._sources.delete(id);
    this._sources.set(id, found);
    if (this._sources.size > 40) this._sources.delete(this._sources.keys().next().value);
    return found;
  }

  /** A voice's keys were finished together: what was heard of it is fetched anew, now if it is played, else when it is. */
  settled(voice, played) {
    for (const source of this._sources.values()) {
      if (source.voice !== voice) continue;
      if (source === played) source.settle();
      else source.forget();
    }
  }

  buffer(address) {
    let found = this._buffers.get(address);
    if (!found) {
      found = bytes(address).then((data) => this.context.decodeAudioData(data));
      found.catch(() => this._buffers.delete(address));
    }
    this._buffers.delete(address);
    this._buffers.set(address, found);
    if (this._buffers.size > MOST_BUFFERS) this._buffers.delete(this._buffers.keys().next().value);
    return found;
  }
}

class ServerSource {
  constructor(sounds, sound) {
    this.sounds = sounds;
    this.sound = sound;
    this.voice = null;
    this.playing = {};
    this._keys = new Map(); // key → its regions
    this._asked = new Map(); // key → promise of them
    this._low = 0;
    this._high = 127;
    this._isPrepared = false;
    this._isSettled = false;
  }

  regions(key, velocity, strike) {
    const ready = this._keys.get(key);
    return ready ? this._inTurn(ready, strike) : this.fetch(key).then((regions) => this._inTurn(regions, strike));
  }

  /** Ask the server for a key. */
  fetch(key, ahead = true) {
    let asked = this._asked.get(key);
    if (!asked) {
      asked = this._fetch(key, ahead);
      this._asked.set(key, asked);
      asked.finally(() => this._asked.delete(key)).catch(() => {});
    }
    return asked;
  }

  /** Have the server render the other keys ahead. */
  async prepare(key) {
    if (this._isPrepared) return;
    this._isPrepared = true;
    await this.fetch(key, true);
    if (this._isSettled) this.settle();
  }

  /** Fetch keys anew when they are asked for. */
  forget() {
    this._keys.clear();
    this._isPrepared = false;
  }

  /** Fetch the keys that were heard, then all others, now that they are as a pack will hold them. */
  async settle() {
    const fetched = new Set();
    const all = Array.from({length: this._high - this._low + 1}, (_, i) => this._low + i);
    for (const key of new Set([...this._keys.keys(), ...all])) {
      if (fetched.has(key)) continue;
      const [low, high] = await this._fetch(key, true).then(() => this._together, () => [key, key]);
      for (let each = low; each <= high; each++) fetched.add(each);
    }
  }

  async _fetch(key, ahead) {
    const answer = await post('regions', {sound: this.sound, key, ahead});
    this.voice = answer.voice;
    this._isSettled = answer.settled;
    this._together = answer.keys;
    this.isMorph = answer.morph;
    [this._low, this._high] = [answer.low, answer.high];
    if (answer.regions.length) this.playing = answer.playing;
    const regions = await Promise.all(
      answer.regions.map(async ({url, loop, ...region}) => ({
        ...region,
        buffer: await this.sounds.buffer(url),
        loopStart: loop?.[0] ?? null,
        loopEnd: loop?.[1] ?? null,
        equalDb: answer.loudnessLufs === null ? 0 : EQUAL_LUFS - answer.loudnessLufs,
      })),
    );
    for (let each = answer.keys[0]; each <= answer.keys[1]; each++) this._keys.set(each, regions);
    return regions;
  }

  _inTurn(regions, strike) {
    return regions
      .filter(({turn, turns}) => strike % turns === turn - 1)
      .map((region) => ({...region, gainDb: this.sounds.isEqual ? region.equalDb : 0}));
  }
}
