// Around a sound: children at a distance, the arc between two favourites, and the directions of the checkpoint.
import {$, inWords, make, settled, signed} from './parts.js';
import {post} from './server.js';

const COUNT = 8;
const CENTRE = 4;
const MOST_SHOWN = 14;
const REACH = 3;

export function around(page) {
  const children = new Array(COUNT).fill(null); // {timbre, isLocked}
  let draw = Math.floor(Math.random() * 2 ** 31);

  async function grow() {
    const {timbre} = page;
    if (!timbre) {
      $('#children-said').textContent = 'A path and its points have no children; choose one of its timbres.';
      return;
    }
    try {
      draw += 1;
      const distance = $('#distance').valueAsNumber;
      const found = (await post('children', {timbre, distance, count: COUNT, draw})).children;
      for (const i of children.keys()) if (!children[i]?.isLocked) children[i] = {timbre: found[i], isLocked: false};
      $('#children-said').textContent = '';
      show();
    } catch (error) {
      page.say(error, $('#children-said'));
    }
  }

  function show() {
    const cells = children.map((child, i) => (child ? cell(child, i) : make('div', {className: 'child'})));
    const words = page.sound?.name ?? (page.timbre ? inWords(page.timbre) : '');
    cells.splice(CENTRE, 0, make('div', {className: 'child centre'}, words));
    $('#children').replaceChildren(...cells);
  }

  function cell(child, i) {
    const sound = {timbre: child.timbre};
    const play = () => page.preview(sound);
    const move = Object.entries(child.timbre.move ?? {}).map(([name, amount]) => `${name} ${signed(amount)}`);
    const go = make('button', {className: 'go', onpointerenter: play, onfocus: play}, move.join(', '));
    go.setAttribute('aria-label', `Child ${i + 1}: ${inWords(child.timbre)}. Go there`);
    go.onclick = () => {
      page.choose(sound);
      grow();
    };
    const lock = make('button', {'aria-pressed': child.isLocked, title: 'Stays when the others grow anew'}, 'Lock');
    const element = make('div', {className: `child${child.isLocked ? ' locked' : ''}`}, go);
    lock.onclick = () => {
      child.isLocked = !child.isLocked;
      lock.setAttribute('aria-pressed', child.isLocked);
      element.classList.toggle('locked', child.isLocked);
    };
    const keep = make('button', {title: 'Put it on the shelf', onclick: () => page.keep(child.timbre)}, 'Keep');
    element.append(make('div', {className: 'tools'}, lock, keep));
    return element;
  }

  // The arc starts from a timbre that is nothing but its origin, since that is how a recipe writes a point of an arc.

  const isPlain = (timbre) => timbre && !('toward' in timbre) && !('move' in timbre);

  function arcPoint() {
    const [from, to] = [$('#arc-from').value, $('#arc-to').value];
    const at = $('#arc').valueAsNumber;
    const {timbres} = page.state;
    if (!from || !to || from === to) return null;
    if (isPlain(timbres[from])) return {...timbres[from], toward: to, at};
    if (isPlain(timbres[to])) return {...timbres[to], toward: from, at: Number((1 - at).toFixed(2))};
    return null;
  }

  function arc() {
    $('output[for=arc]').textContent = $('#arc').valueAsNumber.toFixed(2);
    const timbre = arcPoint();
    if (timbre) page.choose({timbre}, {isKept: !page.sound?.timbre?.toward});
    checkArc();
  }

  function checkArc() {
    const names = [$('#arc-from').value, $('#arc-to').value];
    const isPossible = arcPoint() !== null;
    $('#arc').disabled = !isPossible;
    $('#arc-said').textContent =
      isPossible ? ''
      : names[0] === names[1] ? 'Choose two different favourites.'
      : 'Both of these have moved from their origin, and a recipe writes an arc from an origin alone: make a path of them on the shelf.';
  }

  function favourites() {
    const names = Object.keys(page.state.timbres);
    for (const [i, select] of [$('#arc-from'), $('#arc-to')].entries()) {
      const chosen = names.includes(select.value) ? select.value : names[Math.min(i, names.length - 1)];
      select.replaceChildren(...names.map((name) => new Option(name, name, false, name === chosen)));
    }
    checkArc();
  }

  // Directions

  function directions() {
    const {directions: all, name} = page.state.checkpoint;
    if (!all.length) {
      $('#directions').replaceChildren(
        make('p', {className: 'muted'}, 'Nobody has looked for this checkpoint’s directions yet. Run ', make('code', {}, `samplepack directions ${name}`), ' and load this page again.'),
      );
      return;
    }
    const shown = all.slice(0, MOST_SHOWN);
    for (const moved of Object.keys(page.timbre?.move ?? {})) {
      if (!shown.some((one) => one.name === moved)) shown.push({name: moved, figure: ''});
    }
    if (document.activeElement?.closest('#directions')) return values();
    $('#directions').replaceChildren(
      ...shown.map((one) => {
        const slider = make('input', {type: 'range', min: -REACH, max: REACH, step: 0.1});
        slider.dataset.direction = one.name;
        slider.oninput = () => {
          slider.nextElementSibling.textContent = signed(slider.valueAsNumber);
          moved(one.name, slider.valueAsNumber);
        };
        slider.ondblclick = () => {
          slider.value = 0;
          slider.oninput();
        };
        return make('label', {title: one.figure}, make('span', {}, one.name), slider, make('output', {}, '0.0'));
      }),
    );
    values();
  }

  function values() {
    for (const slider of document.querySelectorAll('[data-direction]')) {
      const amount = page.timbre?.move?.[slider.dataset.direction] ?? 0;
      slider.disabled = !page.timbre;
      if (document.activeElement !== slider) slider.value = amount;
      slider.nextElementSibling.textContent = signed(amount);
    }
  }

  const moved = settled((name, amount) => {
    const {move = {}, ...timbre} = page.timbre;
    const {[name]: _, ...others} = move;
    const all = amount ? {...others, [name]: amount} : others;
    page.choose({timbre: Object.keys(all).length ? {...timbre, move: all} : timbre});
  }, 120);

  $('#grow').onclick = grow;
  $('#distance').oninput = () => ($('output[for=distance]').textContent = $('#distance').valueAsNumber.toFixed(1));
  $('#distance').onchange = () => children.some(Boolean) && grow();
  $('#arc').oninput = settled(arc, 60);
  $('#arc-from').onchange = $('#arc-to').onchange = checkArc;
  $('#still').onclick = () => {
    if (!page.timbre?.move) return;
    const {move: _, ...timbre} = page.timbre;
    page.choose({timbre});
  };
  page.addEventListener('state', () => {
    favourites();
    follow();
  });
  const follow = () => {
    if ($('#view-around').hidden) return;
    directions();
    show();
  };
  page.addEventListener('sound', follow);
  page.addEventListener('view', follow);
}
