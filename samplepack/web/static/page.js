// The page of a pack: which instrument plays, and how loud.

import './keyboard.js';
import {PackSource} from './pack.js';
import {Player, softLimit} from './player.js';

const $ = (selector) => document.querySelector(selector);
const {instruments, rateHz} = JSON.parse($('#data').textContent);
const keyboard = $('#keyboard');

const context = new AudioContext({sampleRate: rateHz, latencyHint: 'interactive'});
const player = new Player(context);
const volume = context.createGain();
const limit = softLimit(context);
player.output.connect(volume).connect(limit.input);
limit.output.connect(context.destination);
player.follow(keyboard);

let loading = new AbortController();
let chosen = null;

function say(text) {
  $('#state').textContent = text;
}

/** Put an instrument on the keyboard; `side` is `now` or `before`. */
function choose(number, side) {
  const instrument = side === 'before' ? instruments[number].before : instruments[number];
  loading.abort();
  loading = new AbortController();
  keyboard.release();
  chosen = new PackSource(context, instrument, document.baseURI);
  player.source = chosen;
  [keyboard.low, keyboard.high] = instrument.keys;
  keyboard.wheel = instrument.wheel;
  const isMarked = side === 'before' || instruments[number].before;
  $('#playing').textContent = isMarked ? `${instrument.name}, ${side === 'before' ? 'before' : 'now'}` : instrument.name;
  say('');
  for (const card of document.querySelectorAll('.card')) {
    const isChosen = Number(card.dataset.instrument) === number;
    card.classList.toggle('chosen', isChosen);
    for (const button of card.querySelectorAll('.play')) {
      button.setAttribute('aria-pressed', isChosen && button.dataset.side === side);
    }
  }
}

/** Load the instrument's sounds, once someone is about to play them. */
async function load() {
  const {signal} = loading;
  if (chosen.isLoading) return;
  chosen.isLoading = true;
  const source = chosen;
  const tell = (done, total) => signal.aborted || say(done < total ? `loading ${done} of ${total}` : '');
  try {
    await source.load(tell, signal);
  } catch (error) {
    source.isLoading = false;
    if (!signal.aborted) say(error.message);
  }
}

function setVolume() {
  const db = $('#volume').valueAsNumber;
  volume.gain.value = db <= -40 ? 0 : 10 ** (db / 20);
}

for (const card of document.querySelectorAll('.card')) {
  for (const button of card.querySelectorAll('.play')) {
    button.addEventListener('click', () => {
      choose(Number(card.dataset.instrument), button.dataset.side);
      context.resume();
      load();
    });
  }
}
for (const event of ['pointerenter', 'focusin', 'noteon']) keyboard.addEventListener(event, load);
for (const audio of document.querySelectorAll('audio')) {
  audio.addEventListener('play', () => {
    for (const other of document.querySelectorAll('audio')) if (other !== audio) other.pause();
  });
}
$('#volume').addEventListener('input', setVolume);
$('#fold').addEventListener('click', () => {
  keyboard.hidden = !keyboard.hidden;
  $('#fold').setAttribute('aria-expanded', !keyboard.hidden);
  $('#fold').textContent = keyboard.hidden ? 'Show keyboard' : 'Hide keyboard';
});
window.addEventListener('unhandledrejection', (event) => say(event.reason?.message ?? 'A sound could not be played.'));

setVolume();
choose(0, 'now');
$('#notice').remove();
$('#dock').hidden = false;
// What tests and curious people reach in a console.
window.samplepack = {context, player, keyboard, choose};
