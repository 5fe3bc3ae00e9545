// The audition page: what is heard, its history, and the views on it.
import '../keyboard.js';
import {Player, softLimit} from '../player.js';
import {around} from './around.js';
import {dropped} from './drop.js';
import {effects} from './effects.js';
import {soundMap} from './map.js';
import {$, inWords} from './parts.js';
import {get, listen, post, Refused} from './server.js';
import {shelf} from './shelf.js';
import {Sounds} from './sounds.js';

const PREVIEW_S = 0.9;

class Page extends EventTarget {
  constructor() {
    super();
    this.state = null; // of the recipe, as the server tells it
    this.sound = null; // {name} or {timbre}
    this.key = 60; // the key that was played last
    this._slots = {a: null, b: null};
    this._slot = 'a';
    this._past = [];
    this._future = [];
    this._last = Promise.resolve(); // the change of the recipe that was asked for last
  }

  // Sound: none before somebody has clicked or pressed a key.

  switchOn() {
    if (this.context) {
      if (this.context.state === 'suspended') this.context.resume();
      return;
    }
    this.context = new AudioContext({latencyHint: 'interactive', sampleRate: this.state?.rateHz ?? 48000});
    const limit = softLimit(this.context);
    limit.output.connect(this.context.destination);
    this.sounds = new Sounds(this.context);
    this.player = new Player(this.context);
    this.previewer = new Player(this.context);
    for (const player of [this.player, this.previewer]) player.output.connect(limit.input);
    this.player.follow($('#keyboard'));
    $('#switch-on').hidden = true;
    this._use();
  }

  _use() {
    if (!this.context || !this.sound) return;
    this.sounds.isEqual = Boolean(this._slots.b);
    const source = (this._source = this.sounds.source(this.sound, this.state.version));
    const measured = {
      get playing() {
        return source.playing;
      },
      regions: (key, velocity, strike) => {
        this.key = key;
        const begun = performance.now();
        const heard = (how) => performance.measure('sound', {start: begun, end: performance.now(), detail: how});
        const found = source.regions(key, velocity, strike);
        if (Array.isArray(found)) {
          heard('ready');
          return found;
        }
        return found.then(
          (regions) => {
            heard('made');
            if (source.isMorph) $('#keyboard').setAttribute('wheel', 'Morph');
            else $('#keyboard').removeAttribute('wheel');
            return regions;
          },
          (error) => {
            this.say(error);
            return [];
          },
        );
      },
    };
    this.player.source = measured;
    source.prepare(this.key).catch((error) => this.say(error));
  }

  /** Play a sound for a moment, without choosing it. */
  async preview(sound, key = this.key) {
    if (!this.context || this.context.state !== 'running') return;
    const source = this.sounds.source(sound, this.state.version);
    const asked = (this._previewed = {});
    try {
      await source.fetch(key, false);
    } catch (error) {
      this.say(error);
      return;
    }
    if (this._previewed !== asked) return; // another one was asked for meanwhile
    this.previewer.allOff();
    this.previewer.source = source;
    this.previewer.noteOn(key, $('#keyboard').velocity);
    setTimeout(() => this._previewed === asked && this.previewer.noteOff(key), 1000 * PREVIEW_S);
  }

  /** Choose a sound: the keyboard plays it. */
  choose(sound, {isHeard = true, isKept = true} = {}) {
    if (JSON.stringify(sound) === JSON.stringify(this.sound)) return;
    if (isKept) this._remember();
    this.sound = sound;
    this._slots[this._slot] = sound;
    this._use();
    this._tell('sound');
    if (isHeard) this.preview(sound);
  }

  /** The timbre that is heard, as the recipe would write it; null for a path and its points. */
  get timbre() {
    if (!this.sound) return null;
    return this.sound.timbre ?? this.state.timbres[this.sound.name] ?? this.state.bank[this.sound.name] ?? null;
  }

  // The recipe, and its history together with that of the sound.

  show(state) {
    this.state = state;
    if (this.sound?.name && !this._names().includes(this.sound.name)) this.sound = null;
    this.sound ??= {name: this._names()[0]};
    this._slots[this._slot] = this.sound;
    this._use();
    this._tell('state');
    this._tell('sound');
  }

  _names() {
    const {timbres, bank, paths, points} = this.state;
    const morphs = Object.keys(paths).filter((name) => paths[name].as === 'morph');
    return [...Object.keys(timbres), ...Object.keys(bank), ...morphs, ...Object.values(points).flat()];
  }

  /** Change the recipe; gives whether it could be changed. */
  async change(edit, element, sound = null) {
    return this._changed(() => post('edit', {version: this.state.version, edit}), element, sound);
  }

  async write(text, element) {
    return this._changed(() => post('text', {version: this.state.version, text}), element);
  }

  /** Change the recipe once earlier changes are done, since each is made on what came before it. */
  _changed(ask, element, sound = null) {
    const changed = this._last.then(() => this._changeNow(ask, element, sound));
    this._last = changed.catch(() => {});
    return changed;
  }

  async _changeNow(ask, element, sound) {
    const before = this._snapshot();
    try {
      const state = await ask();
      this._past.push(before);
      this._future = [];
      if (sound) this.sound = sound;
      this.show(state);
      if (element) element.textContent = '';
      return true;
    } catch (error) {
      this.say(error, element);
      if (error.status === 409) this.show(await get('state'));
      return false;
    }
  }

  _snapshot() {
    return {sound: this.sound, text: this.state.text};
  }

  _remember() {
    if (!this.sound) return;
    this._past.push(this._snapshot());
    if (this._past.length > 200) this._past.shift();
    this._future = [];
  }

  async step(from, to) {
    const wanted = from.pop();
    if (!wanted) return;
    const now = this._snapshot();
    try {
      this.sound = wanted.sound;
      this.show(
        wanted.text === now.text ? this.state : await post('text', {version: this.state.version, text: wanted.text}),
      );
      to.push(now);
      this._tell('sound');
      this.preview(this.sound);
    } catch (error) {
      this.sound = now.sound;
      from.push(wanted);
      this.say(error);
    }
  }

  undo() {
    return this.step(this._past, this._future);
  }

  redo() {
    return this.step(this._future, this._past);
  }

  slot(name) {
    this._slots[name] ??= this.sound;
    this._slot = name;
    this.sound = this._slots[name];
    for (const each of ['a', 'b']) $(`#slot-${each}`).setAttribute('aria-pressed', each === name);
    this._use();
    this._tell('sound');
    this.preview(this.sound);
  }

  say(error, element = null) {
    if (!(error instanceof Refused)) throw error;
    if (error.status === 0) return; // the banner says it
    if (element) element.textContent = error.message;
    else this.warn(error.message);
  }

  warn(message) {
    $('#banner').hidden = !message;
    $('#banner').textContent = message;
    clearTimeout(this._warned);
    if (message) this._warned = setTimeout(() => this.warn(''), 9000);
  }

  _tell(what) {
    this.dispatchEvent(new Event(what));
  }
}

const page = new Page();

function head() {
  const {sound, state} = page;
  const origin = page.timbre ? inWords(page.timbre) : state.paths[sound.name] ? 'morph' : 'point of a path';
  $('#now').textContent = sound.name ? `${sound.name} (${origin})` : origin;
  $('#now').title = $('#now').textContent;
  $('#undo').disabled = !page._past.length;
  $('#redo').disabled = !page._future.length;
}

let shownText = ''; // what the text held before somebody edited it

function recipe() {
  const {state} = page;
  document.title = `${state.saved ? '' : '• '}${state.name} – samplepack`;
  $('#name').textContent = state.name;
  $('#file-name').textContent = state.file;
  if ($('#text').value === shownText || $('#text').value === state.text) {
    $('#text').value = state.text;
    $('#apply').disabled = true;
  } else if (state.text !== shownText) {
    $('#text-said').textContent = 'The recipe has changed since; applying this text puts it in its place.';
  }
  shownText = state.text;
  $('#save').disabled = state.saved;
  $('#save').textContent = state.saved ? 'Saved' : 'Save';
  $('#keyboard').setAttribute('low', state.low);
  $('#keyboard').setAttribute('high', state.high);
}

async function save() {
  try {
    page.show(await post('save', {version: page.state.version}));
    page.warn('');
  } catch (error) {
    page.say(error);
  }
}

function tabs() {
  const all = [...document.querySelectorAll('[role=tab]')];
  const select = (tab, isFocused) => {
    for (const each of all) {
      each.setAttribute('aria-selected', each === tab);
      each.tabIndex = each === tab ? 0 : -1;
      $(`#${each.getAttribute('aria-controls')}`).hidden = each !== tab;
    }
    if (isFocused) tab.focus();
    page.dispatchEvent(new Event('view'));
  };
  for (const [i, tab] of all.entries()) {
    tab.onclick = () => select(tab);
    tab.onkeydown = ({key}) => {
      const by = {ArrowRight: 1, ArrowLeft: -1}[key];
      if (by) select(all[(i + by + all.length) % all.length], true);
    };
  }
  page.open = (name) => select($(`#tab-${name}`));
}

function wire() {
  page.addEventListener('sound', head);
  page.addEventListener('state', recipe);
  $('#undo').onclick = () => page.undo();
  $('#redo').onclick = () => page.redo();
  $('#slot-a').onclick = () => page.slot('a');
  $('#slot-b').onclick = () => page.slot('b');
  $('#save').onclick = save;
  $('#text').oninput = () => ($('#apply').disabled = $('#text').value === page.state.text);
  $('#apply').onclick = () => page.write($('#text').value, $('#text-said'));
  $('#reload').onclick = async () => {
    try {
      page._remember();
      $('#text').value = shownText;
      page.show(await post('reload', {}));
      $('#text-said').textContent = '';
    } catch (error) {
      page.say(error, $('#text-said'));
    }
  };
  document.addEventListener('keydown', (event) => {
    const isText = event.target.matches?.('textarea, input:not([type=range], [type=checkbox])');
    const command = event.ctrlKey || event.metaKey;
    if (command && event.key.toLowerCase() === 's') {
      event.preventDefault();
      save();
    } else if (command && event.key.toLowerCase() === 'z' && !isText) {
      event.preventDefault();
      if (event.shiftKey) page.redo();
      else page.undo();
    }
  });
  for (const gesture of ['pointerdown', 'keydown']) document.addEventListener(gesture, () => page.switchOn(), true);
  window.addEventListener('beforeunload', (event) => page.state && !page.state.saved && event.preventDefault());
}

const parts = [soundMap, around, effects, shelf, dropped];

async function begin() {
  wire();
  tabs();
  for (const part of parts) part(page);
  page.show(await get('state'));
  listen({
    on: async (event) => {
      if (event.event === 'settled') page.sounds?.settled(event.voice, page._source);
      if (event.event === 'recipe' && event.version > page.state.version) page.show(await get('state'));
      page.dispatchEvent(new CustomEvent('told', {detail: event}));
    },
    lost: () => {
      clearTimeout(page._warned);
      $('#banner').hidden = false;
      $('#banner').textContent =
        'samplepack doesn’t answer any more. This page tries again; if it was ended, start samplepack audition again and open its new address. What isn’t saved stays here meanwhile.';
    },
    back: async () => {
      page.warn('');
      page.show(await get('state'));
      page.dispatchEvent(new CustomEvent('told', {detail: {event: 'map'}}));
    },
  });
}

begin();
