// A keyboard in a notebook. Notes are asked for from Python, which renders them, and kept as long as the widget is there.

import './keyboard.js';
import {Player, softLimit} from './player.js';

const MOST_KEPT = 256;
const LEAST_REACH = 3;

const WIDGET_STYLE = `
.samplepack { --paper: var(--jp-layout-color1); --ink: var(--jp-ui-font-color1); --muted: var(--jp-ui-font-color2);
  --line: var(--jp-border-color1); --accent: var(--jp-brand-color1); color: var(--ink); display: grid; gap: .6rem; padding: .75rem; max-width: 60rem; font: 14px/1.4 system-ui, sans-serif; }
.samplepack label { display: flex; flex-wrap: wrap; gap: .25rem .75rem; align-items: center; }
.samplepack input { accent-color: var(--accent, #6a3fd0); width: 14rem; max-width: 100%; }
.samplepack .name { min-width: 8rem; }
.samplepack output { font-variant-numeric: tabular-nums; min-width: 3em; }
.samplepack .head { display: flex; gap: 1rem; justify-content: space-between; }
.samplepack .head b { font-size: 1.05rem; }
.samplepack [role=status] { opacity: .75; }
`;

/** Gives the player notes that Python renders. */
class NotebookSource {
  constructor(model, context) {
    this._model = model;
    this._context = context;
    this._notes = new Map(); // timbre and key → regions, or the promise of them
    this._waiting = new Map(); // timbre and key → how to keep the promise
    this.playing = model.get('playing');
    this._onMessage = (message, buffers) => this._receive(message, buffers);
    model.on('msg:custom', this._onMessage);
  }

  close() {
    this._model.off('msg:custom', this._onMessage);
  }

  /** What is heard now, as text that is the same for the same timbre. */
  get timbre() {
    return JSON.stringify([this._model.get('at'), this._model.get('moves')]);
  }

  regions(key) {
    const [low, high] = this._model.get('pitches');
    const root = Math.min(Math.max(key, low), high);
    const id = `${this.timbre} ${root}`;
    if (!this._notes.has(id)) {
      if (this._notes.size >= MOST_KEPT) this._notes.delete(this._notes.keys().next().value);
      const note = new Promise((resolve, reject) => this._waiting.set(id, {resolve, reject}));
      this._notes.set(id, note);
      note.then((regions) => this._notes.set(id, regions), () => this._notes.delete(id));
      this._model.send({id, key: root, at: this._model.get('at'), moves: this._model.get('moves')});
    }
    return this._notes.get(id);
  }

  _receive(message, buffers) {
    const waiting = this._waiting.get(message.id);
    if (!waiting) return;
    this._waiting.delete(message.id);
    if (message.error) {
      waiting.reject(new Error(message.error));
      return;
    }
    const {rateHz, channels, loop, key} = message;
    const bytes = new Uint8Array(buffers[0].buffer, buffers[0].byteOffset, buffers[0].byteLength).slice();
    const samples = new Float32Array(bytes.buffer);
    const frames = samples.length / channels;
    const buffer = this._context.createBuffer(channels, frames, rateHz);
    for (let i = 0; i < channels; i++) buffer.copyToChannel(samples.subarray(i * frames, (i + 1) * frames), i);
    const [loopStart, loopEnd] = loop ? [loop[0] / rateHz, (loop[1] + 1) / rateHz] : [null, null];
    waiting.resolve([{buffer, root: key, loopStart, loopEnd}]);
  }
}

function slider(name, low, high, step, value, act) {
  const label = document.createElement('label');
  const text = Object.assign(document.createElement('span'), {className: 'name', textContent: name});
  const input = Object.assign(document.createElement('input'), {type: 'range', min: low, max: high, step});
  const output = document.createElement('output');
  input.value = value;
  output.textContent = Number(value).toFixed(2);
  input.addEventListener('input', () => (output.textContent = input.valueAsNumber.toFixed(2)));
  input.addEventListener('change', () => act(input.valueAsNumber));
  label.append(text, input, output);
  return label;
}

function render({model, el}) {
  const context = new AudioContext({sampleRate: model.get('rate_hz'), latencyHint: 'interactive'});
  const player = new Player(context);
  const limit = softLimit(context);
  player.output.connect(limit.input);
  limit.output.connect(context.destination);
  const source = new NotebookSource(model, context);
  player.source = source;

  const root = Object.assign(document.createElement('div'), {className: 'samplepack'});
  const style = Object.assign(document.createElement('style'), {textContent: WIDGET_STYLE});
  const head = Object.assign(document.createElement('div'), {className: 'head'});
  const status = document.createElement('span');
  status.setAttribute('role', 'status');
  head.append(Object.assign(document.createElement('b'), {textContent: model.get('title')}), status);
  const keyboard = document.createElement('sample-keyboard');
  [keyboard.low, keyboard.high] = model.get('pitches');
  root.append(style, head);

  let last = Math.min(Math.max(60, keyboard.low), keyboard.high);
  let ending;
  keyboard.addEventListener('noteon', ({detail}) => (last = detail.key));
  player.follow(keyboard);
  const say = (error) => (status.textContent = error?.message ?? '');
  const strike = player.noteOn.bind(player);
  player.noteOn = (key, velocity) => {
    status.textContent = '';
    const voice = strike(key, velocity);
    if (voice?.then) {
      status.textContent = 'rendering';
      voice.then(() => say(), say);
    }
    return voice;
  };

  /** Play the last key in the timbre that was just chosen. */
  const listen = () => {
    model.save_changes();
    context.resume();
    clearTimeout(ending);
    player.noteOn(last, keyboard.velocity);
    ending = setTimeout(() => player.noteOff(last), 1500);
  };
  if (model.get('toward')) {
    const arc = slider(`toward ${model.get('toward')}`, 0, 1, 0.05, model.get('at'), (at) => {
      model.set('at', at);
      listen();
    });
    root.append(arc);
  }
  for (const name of model.get('directions')) {
    const value = model.get('moves')[name] ?? 0;
    const reach = Math.max(LEAST_REACH, Math.abs(value));
    root.append(
      slider(name, -reach, reach, 0.1, value, (moved) => {
        model.set('moves', {...model.get('moves'), [name]: moved});
        listen();
      }),
    );
  }
  root.append(keyboard);
  el.append(root);
  return () => {
    clearTimeout(ending);
    source.close();
    context.close();
  };
}

export default {render};
