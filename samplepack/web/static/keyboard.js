// <sample-keyboard>: a keyboard for mouse, touch, computer keys and MIDI. It makes no sound; it tells what is played by
// events (CustomEvent, bubbling), whose details are:
//   noteon {key, velocity 1..127} · noteoff {key} · wheel {value 0..1} · pedal {on} · bend {value -1..1}
//   pressure {value 0..1} · alloff {}
//
// Attributes:
//   low, high    the keys that the instrument has, MIDI; others are shown dimmed
//   wheel        what the mod wheel does, which names its slider; without it, there is none (a MIDI wheel still tells)
//   everywhere   computer keys play wherever the focus is, but in text fields; else within the keyboard only
// Colours are taken from the custom properties --paper, --ink, --muted, --line and --accent where the page has them.

const NAMES = ['C', 'C♯', 'D', 'D♯', 'E', 'F', 'F♯', 'G', 'G♯', 'A', 'A♯', 'B'];
const BLACK = new Set([1, 3, 6, 8, 10]);
const CODES = [
  'KeyA', 'KeyW', 'KeyS', 'KeyE', 'KeyD', 'KeyF', 'KeyT', 'KeyG', 'KeyY', 'KeyH', 'KeyU', 'KeyJ', 'KeyK', 'KeyO', 'KeyL',
  'KeyP', 'Semicolon',
];
const LETTERS = 'AWSEDFTGYHUJKOLP;';
const LEAST_WHITE_PX = 23;
const MOST_OCTAVES = 5;
const VELOCITY_STEP = 16;

export const keyName = (key) => `${NAMES[key % 12]}${Math.floor(key / 12) - 1}`;

const STYLE = `
:host { display: block; --p: var(--paper, #fff); --i: var(--ink, #1d1b24); --m: var(--muted, #625f6e);
  --l: var(--line, #cbc8d4); --a: var(--accent, #6a3fd0); color: var(--i); font: 14px/1.4 system-ui, sans-serif;
  --white: #fff; --black: #2a2833; --edge: #a29eae; --on: #fff; }
@media (prefers-color-scheme: dark) {
  :host { --p: var(--paper, #16151b); --i: var(--ink, #eceaf2); --m: var(--muted, #a5a1b3); --l: var(--line, #3d3a49);
    --a: var(--accent, #b79bff); --white: #d9d6e2; --black: #1b1a22; --edge: #6a6678; --on: #16151b; } }
:host([hidden]), [hidden] { display: none !important; }
* { box-sizing: border-box; }
.bar { display: flex; flex-wrap: wrap; gap: .5rem 1.25rem; align-items: center; margin-block-end: .6rem; }
.bar label, .group { display: flex; gap: .5rem; align-items: center; color: var(--m); }
.bar output { min-width: 2.2em; color: var(--i); font-variant-numeric: tabular-nums; }
#octave { text-align: center; min-width: 5.2em; }
input[type=range] { accent-color: var(--a); width: 8rem; margin: 0; }
.wheel input { width: 12rem; }
button { font: inherit; color: var(--i); background: var(--p); border: 1px solid var(--l); border-radius: .4rem;
  padding: .2rem .65rem; min-height: 2rem; cursor: pointer; }
button:hover { border-color: var(--a); }
button[aria-pressed=true] { background: var(--a); border-color: var(--a); color: var(--on); }
:focus-visible { outline: 3px solid var(--a); outline-offset: 2px; }
.keys { position: relative; height: var(--keys, clamp(7rem, 22vw, 10.5rem)); touch-action: none; user-select: none;
  -webkit-user-select: none; -webkit-touch-callout: none; }
.key { position: absolute; top: 0; display: flex; flex-direction: column; justify-content: flex-end; align-items: center;
  padding: 0 0 .4rem; border: 1px solid var(--edge); border-radius: 0 0 .35rem .35rem; font-size: .72rem; line-height: 1.25;
  min-height: 0; cursor: pointer; touch-action: none; }
.white { height: 100%; background: var(--white); color: #55515f; }
.black { height: 62%; background: var(--black); color: #c9c5d6; z-index: 1; border-color: #000; }
.key.out { opacity: .35; }
.key.lit { background: var(--a); border-color: var(--a); color: var(--on); }
.key:focus-visible { z-index: 2; outline-offset: -3px; }
.black:focus-visible { z-index: 3; outline-color: #fff; box-shadow: 0 0 0 2px var(--a); }
.letter { opacity: .75; }
.help { color: var(--m); margin: .5rem 0 0; font-size: .85rem; }
@media (max-width: 40rem) { .help { display: none; } .wheel input { width: 9rem; } }
@media (pointer: coarse) { .letter, .help { display: none; } button { min-height: 2.5rem; min-width: 2.75rem; } }
`;

const BODY = `
<div class="bar">
  <div class="group" role="group" aria-label="Octave">
    <button id="down" aria-label="Octave down">−</button><output id="octave" aria-live="polite"></output>
    <button id="up" aria-label="Octave up">+</button>
  </div>
  <label>Velocity <input id="velocity" type="range" min="1" max="127" value="96"><output for="velocity">96</output></label>
  <label class="wheel" hidden><span></span> <input id="wheel" type="range" min="0" max="127" value="0"><output for="wheel">0</output></label>
  <button id="pedal" aria-pressed="false">Pedal</button>
  <button id="midi" hidden>Connect MIDI</button>
  <span id="said" role="status"></span>
</div>
<div class="keys" role="group" aria-label="Keys"></div>
<p class="help">Letters play: A to ; are white keys, W to P black ones. Z and X: octave. C and V: velocity. B: pedal.</p>
`;

class SampleKeyboard extends HTMLElement {
  static observedAttributes = ['low', 'high', 'wheel'];

  constructor() {
    super();
    this.attachShadow({mode: 'open'}).innerHTML = `<style>${STYLE}</style>${BODY}`;
    this._sounding = new Map(); // what plays (a pointer, a code, 'midi60') → its key
    this._first = 48; // the lowest key shown, a C
    this._octaves = 0;
    this._focused = 60;
    const on = (id, name, act) => this.$(id).addEventListener(name, act);
    on('#down', 'click', () => this.octave(-1));
    on('#up', 'click', () => this.octave(1));
    on('#velocity', 'input', () => (this.velocity = this.velocity));
    on('#wheel', 'input', (event) => this._turn(event.target.valueAsNumber / 127));
    on('#pedal', 'click', () => this._press(this.$('#pedal').getAttribute('aria-pressed') !== 'true'));
    on('#midi', 'click', () => this._connectMidi());
    this.$('#midi').hidden = !navigator.requestMIDIAccess;
    const keys = this.$('.keys');
    keys.addEventListener('pointerdown', (event) => this._point(event));
    keys.addEventListener('pointermove', (event) => event.buttons && this._point(event));
    for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) {
      keys.addEventListener(name, (event) => this._stop(`pointer${event.pointerId}`));
    }
    keys.addEventListener('contextmenu', (event) => event.preventDefault());
    keys.addEventListener('focusin', (event) => (this._focused = Number(event.target.dataset.key)));
    this._onKeyDown = (event) => this._keyDown(event);
    this._onKeyUp = (event) => this._stop(event.code);
    this._onBlur = () => this.release();
    this._sizes = new ResizeObserver(() => this._draw());
  }

  connectedCallback() {
    this._target = this.hasAttribute('everywhere') ? document : this;
    this._target.addEventListener('keydown', this._onKeyDown);
    document.addEventListener('keyup', this._onKeyUp);
    window.addEventListener('blur', this._onBlur);
    this._sizes.observe(this);
    this._draw();
  }

  disconnectedCallback() {
    this._target.removeEventListener('keydown', this._onKeyDown);
    document.removeEventListener('keyup', this._onKeyUp);
    window.removeEventListener('blur', this._onBlur);
    this._sizes.disconnect();
    this.release();
    this._forgetMidi?.();
  }

  attributeChangedCallback(name) {
    if (name === 'wheel') {
      const label = this.getAttribute('wheel');
      this.$('.wheel').hidden = label === null;
      this.$('.wheel span').textContent = label;
      return;
    }
    this._octaves = 0;
    if (this.isConnected) this._draw();
  }

  /** The lowest key of the instrument, MIDI. */
  get low() {
    return Number(this.getAttribute('low') ?? 36);
  }

  set low(key) {
    this.setAttribute('low', key);
  }

  /** The highest key of the instrument, MIDI. */
  get high() {
    return Number(this.getAttribute('high') ?? 84);
  }

  set high(key) {
    this.setAttribute('high', key);
  }

  /** What the mod wheel does; null: there is no slider for it. */
  get wheel() {
    return this.getAttribute('wheel');
  }

  set wheel(label) {
    if (label == null) this.removeAttribute('wheel');
    else this.setAttribute('wheel', label);
  }

  /** The velocity of mouse, touch and computer keys, 1 to 127. */
  get velocity() {
    return this.$('#velocity').valueAsNumber;
  }

  set velocity(value) {
    this.$('#velocity').value = value;
    this.$('#velocity + output').textContent = this.velocity;
  }

  /** Show the wheel at a place, 0 to 1, without telling. */
  showWheel(value) {
    this.$('#wheel').value = Math.round(127 * value);
    this.$('#wheel + output').textContent = this.$('#wheel').value;
  }

  /** Light a key up, or not. */
  light(key, isLit) {
    const button = this.$(`[data-key="${key}"]`);
    button?.classList.toggle('lit', isLit);
    button?.setAttribute('aria-pressed', isLit);
  }

  /** Move what is shown by octaves. */
  octave(by) {
    const first = this._first + 12 * by;
    if (first + 12 * this._octaves <= this.low || first > this.high || first < 0 || first > 108) return;
    this._first = first;
    this._draw(true);
  }

  /** Let all keys go that are held here. */
  release() {
    for (const what of [...this._sounding.keys()]) this._stop(what);
  }

  $(selector) {
    return this.shadowRoot.querySelector(selector);
  }

  _tell(name, detail) {
    this.dispatchEvent(new CustomEvent(name, {detail, bubbles: true, composed: true}));
  }

  _play(what, key, velocity = this.velocity) {
    if (this._sounding.get(what) === key || key < 0 || key > 127) return;
    this._stop(what);
    this._sounding.set(what, key);
    this.light(key, true);
    this._tell('noteon', {key, velocity});
  }

  _stop(what) {
    const key = this._sounding.get(what);
    if (key === undefined) return;
    this._sounding.delete(what);
    if ([...this._sounding.values()].includes(key)) return;
    this.light(key, false);
    this._tell('noteoff', {key});
  }

  _turn(value) {
    this.showWheel(value);
    this._tell('wheel', {value});
  }

  _press(on) {
    this.$('#pedal').setAttribute('aria-pressed', on);
    this._tell('pedal', {on});
  }

  _point(event) {
    const {clientX, clientY, pointerId, type} = event;
    if (type === 'pointerdown' && event.button > 0) return;
    if (type === 'pointerdown') event.target.closest('.keys').setPointerCapture(pointerId);
    else if (!this._sounding.has(`pointer${pointerId}`)) return;
    const button = this.shadowRoot.elementFromPoint(clientX, clientY)?.closest?.('.key');
    if (button) this._play(`pointer${pointerId}`, Number(button.dataset.key));
  }

  _keyDown(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const [target] = event.composedPath();
    const isText = target.matches?.('input:not([type=range], [type=checkbox], [type=radio]), textarea, select');
    if (isText || target.isContentEditable) return;
    const onKeys = target.classList?.contains('key') && this.shadowRoot.contains(target);
    const at = CODES.indexOf(event.code);
    const act = {
      KeyZ: () => this.octave(-1),
      KeyX: () => this.octave(1),
      KeyC: () => (this.velocity = Math.max(this.velocity - VELOCITY_STEP, 1)),
      KeyV: () => (this.velocity = this.velocity + VELOCITY_STEP),
      KeyB: () => this._press(this.$('#pedal').getAttribute('aria-pressed') !== 'true'),
      ...(onKeys && {
        ArrowLeft: () => this._focus(this._focused - 1),
        ArrowRight: () => this._focus(this._focused + 1),
        Home: () => this._focus(this._first),
        End: () => this._focus(this._first + 12 * this._octaves),
        Space: () => this._play(event.code, this._focused),
        Enter: () => this._play(event.code, this._focused),
      }),
      ...(at >= 0 && {[event.code]: () => this._play(event.code, this._first + 12 * this._middle() + at)}),
    }[event.code];
    if (!act) return;
    event.preventDefault();
    event.stopPropagation(); // a notebook has commands on letters
    if (!event.repeat || event.code.startsWith('Arrow')) act();
  }

  /** The octave, of those shown, on which computer keys play. */
  _middle() {
    return Math.floor((this._octaves - 1) / 2);
  }

  _focus(key) {
    const button = this.$(`[data-key="${key}"]`);
    if (!button) return;
    this.$('.key[tabindex="0"]').tabIndex = -1;
    button.tabIndex = 0;
    button.focus();
  }

  _draw(isForced = false) {
    const width = this.clientWidth || 700;
    const fit = Math.floor((width / LEAST_WHITE_PX - 1) / 7);
    const lowest = Math.floor(this.low / 12) * 12;
    const needed = Math.ceil((this.high - lowest) / 12);
    const octaves = Math.max(1, Math.min(fit, needed, MOST_OCTAVES));
    if (octaves === this._octaves && !isForced) return;
    if (octaves !== this._octaves) {
      this._first = Math.max(lowest, Math.min(60 - 12 * Math.floor(octaves / 2), lowest + 12 * (needed - octaves)));
    }
    this._octaves = octaves;
    const last = this._first + 12 * octaves;
    const letters = this._first + 12 * this._middle();
    const count = 7 * octaves + 1;
    this._focused = Math.min(Math.max(this._focused, this._first), last);
    let white = 0;
    this.$('.keys').replaceChildren(
      ...Array.from({length: last - this._first + 1}, (_, i) => {
        const key = this._first + i;
        const isBlack = BLACK.has(key % 12);
        const button = document.createElement('button');
        const left = isBlack ? (white - 0.31) / count : white++ / count;
        button.className = `key ${isBlack ? 'black' : 'white'}`;
        button.classList.toggle('out', key < this.low || key > this.high);
        button.style.left = `${100 * left}%`;
        button.style.width = `${(100 * (isBlack ? 0.62 : 1)) / count}%`;
        button.dataset.key = key;
        button.tabIndex = key === this._focused ? 0 : -1;
        button.setAttribute('aria-label', keyName(key));
        button.setAttribute('aria-pressed', false);
        const letter = LETTERS[key - letters];
        if (letter) button.append(span('letter', letter));
        if (key % 12 === 0) button.append(span('name', keyName(key)));
        return button;
      }),
    );
    for (const key of this._sounding.values()) this.light(key, true);
    this.$('#octave').textContent = `${keyName(this._first)} – ${keyName(last)}`;
  }

  async _connectMidi() {
    const say = (text) => (this.$('#said').textContent = text);
    let access;
    try {
      access = await navigator.requestMIDIAccess();
    } catch {
      say('The browser gave no access to MIDI.');
      return;
    }
    const listen = () => {
      const inputs = [...access.inputs.values()];
      for (const input of inputs) input.onmidimessage = ({data}) => this._midi(data);
      say(inputs.length ? `MIDI: ${inputs.map((input) => input.name).join(', ')}` : 'No MIDI keyboard is plugged in.');
    };
    access.onstatechange = listen;
    this._forgetMidi = () => {
      access.onstatechange = null;
      for (const input of access.inputs.values()) input.onmidimessage = null;
    };
    this.$('#midi').hidden = true;
    listen();
  }

  _midi([status, a = 0, b = 0]) {
    const kind = status & 0xf0;
    if (kind === 0x90 && b) {
      this._stop(`midi${a}`);
      this._play(`midi${a}`, a, b);
    } else if (kind === 0x80 || kind === 0x90) this._stop(`midi${a}`);
    else if (kind === 0xe0) this._tell('bend', {value: Math.min(((b << 7) + a - 8192) / 8191, 1)});
    else if (kind === 0xd0) this._tell('pressure', {value: a / 127});
    else if (kind === 0xb0 && a === 1) this._turn(b / 127);
    else if (kind === 0xb0 && a === 64) this._press(b >= 64);
    else if (kind === 0xb0 && (a === 120 || a === 123)) {
      this.release();
      this._tell('alloff', {});
    }
  }
}

function span(name, text) {
  const element = document.createElement('span');
  element.className = name;
  element.textContent = text;
  return element;
}

if (!customElements.get('sample-keyboard')) customElements.define('sample-keyboard', SampleKeyboard);
