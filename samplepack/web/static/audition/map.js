// The map: a point for each instrument and seed. Resting on one, or moving there by arrow keys, plays it.
import {$, settled} from './parts.js';
import {get} from './server.js';

const REST_MS = 90;
const NS = 'http://www.w3.org/2000/svg';

export function soundMap(page) {
  const svg = $('#map');
  let number = 0; // of the map: the recipe may get another checkpoint, which has another map
  let places = [];
  let here = -1;
  let chosen = null; // the place of the sound that the keyboard plays
  let isFetching = false;
  let isAskedAgain = false;

  const sound = ({name, seed}) => ({timbre: seed === null ? {instrument: name} : {seed}});
  const play = settled((i) => places[i] && page.preview(sound(places[i])), REST_MS);

  function point(i, isPlayed = true) {
    if (i < 0 || i >= places.length) return;
    for (const [j, isHere] of [[here, false], [i, true]]) {
      places[j]?.element.classList.toggle('here', isHere);
      places[j]?.element.setAttribute('aria-selected', isHere);
    }
    here = i;
    svg.setAttribute('aria-activedescendant', places[i].element.id);
    label.textContent = places[i].name;
    const isRight = places[i].at[0] > svg.clientWidth * 0.7;
    label.setAttribute('x', places[i].at[0] + (isRight ? -10 : 10));
    label.setAttribute('text-anchor', isRight ? 'end' : 'start');
    label.setAttribute('y', places[i].at[1] - 9);
    if (isPlayed) play(i);
  }

  function choose(i) {
    if (places[i]) page.choose(sound(places[i]));
  }

  const label = document.createElementNS(NS, 'text');
  label.setAttribute('aria-hidden', 'true');

  function draw() {
    const {clientWidth: width, clientHeight: height} = svg;
    if (!width || !places.length) return;
    svg.setAttribute('viewBox', `0 0 ${width} ${height}`);
    const range = (values) => {
      const sorted = [...values].sort((a, b) => a - b);
      return [sorted[0], sorted[sorted.length - 1]];
    };
    const [left, right] = range(places.map(({x}) => x));
    const [bottom, top] = range(places.map(({y}) => y));
    const byBrightness = [...places].sort((a, b) => a.brightness - b.brightness);
    const rank = new Map(byBrightness.map((place, i) => [place, i / places.length]));
    const share = (value, low, high) => (high > low ? (value - low) / (high - low) : 0.5);
    for (const place of places) {
      place.at = [
        18 + (width - 36) * share(place.x, left, right),
        18 + (height - 36) * (1 - share(place.y, bottom, top)),
      ];
      const t = rank.get(place);
      const hue = (265 + 135 * t) % 360;
      const size = place.seed === null ? 6 : 5;
      const {element} = place;
      if (place.seed === null) {
        for (const [name, value] of Object.entries({x: place.at[0] - size, y: place.at[1] - size, width: 2 * size, height: 2 * size, rx: 2})) {
          element.setAttribute(name, value);
        }
      } else {
        element.setAttribute('cx', place.at[0]);
        element.setAttribute('cy', place.at[1]);
        element.setAttribute('r', size);
      }
      element.style.fill = `hsl(${hue} ${60 + 25 * t}% ${50 + 3 * t}%)`;
    }
    // An element that was taken out and put in again would lose the click that is being made on it.
    svg.append(...places.map(({element}) => element).filter((element) => !element.isConnected), label);
    if (here >= 0) point(here, false);
  }

  async function fetchMap() {
    isAskedAgain = isFetching;
    if (isFetching) return;
    isFetching = true;
    try {
      const found = await get('map');
      const {done, of, problem} = found;
      $('#map-said').textContent = problem
        ? `The map couldn’t be made: ${problem}`
        : of === null ? 'The network is being loaded …'
        : done < of ? `Listening to the checkpoint: ${done} of ${of} sounds` : `${of} sounds`;
      const isOther = found.number !== number;
      if (isOther) {
        svg.replaceChildren();
        svg.removeAttribute('aria-activedescendant');
        [number, places, here, chosen] = [found.number, [], -1, null];
      }
      if (isOther || found.places.length !== places.length) {
        const known = places.length; // places of a map are only ever added
        const fresh = found.places.slice(known).map((place, j) => {
          const i = known + j;
          const element = document.createElementNS(NS, place.seed === null ? 'rect' : 'circle');
          element.id = `place-${i}`;
          element.setAttribute('class', 'place');
          element.setAttribute('role', 'option');
          element.setAttribute('aria-selected', false);
          element.setAttribute('aria-label', `${place.name}, brightness ${place.brightness.toFixed(1)}`);
          element.onpointerenter = () => point(i);
          element.onclick = () => choose(i);
          return {...place, element};
        });
        places = [...places, ...fresh];
        $('#names').replaceChildren(...places.map(({name: each}) => new Option(each)));
        draw();
        search();
        mark();
      }
    } catch (error) {
      page.say(error);
    } finally {
      isFetching = false;
    }
    if (isAskedAgain) fetchMap();
  }

  function search() {
    const words = $('#search').value.toLowerCase().split(/\s+/).filter(Boolean);
    const matches = places.map(({name}) => words.every((word) => name.toLowerCase().includes(word)));
    for (const [i, {element}] of places.entries()) element.classList.toggle('faint', !matches[i]);
    return matches;
  }

  function mark() {
    const {instrument, seed, ...others} = page.timbre ?? {};
    const name = Object.keys(others).length ? null : instrument ?? `seed ${seed}`;
    chosen?.element.classList.remove('chosen');
    chosen = places.find((place) => place.name === name);
    chosen?.element.classList.add('chosen');
  }

  svg.onkeydown = (event) => {
    const way = {ArrowRight: [1, 0], ArrowLeft: [-1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}[event.key];
    if (way) {
      event.preventDefault();
      if (here < 0) return point(0);
      const [x, y] = places[here].at;
      let best = -1;
      let least = Infinity;
      for (const [i, {at}] of places.entries()) {
        const along = (at[0] - x) * way[0] + (at[1] - y) * way[1];
        const aside = Math.abs((at[0] - x) * way[1]) + Math.abs((at[1] - y) * way[0]);
        if (i !== here && along > 1 && along + 2 * aside < least) [best, least] = [i, along + 2 * aside];
      }
      point(best);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      choose(here);
    }
  };
  $('#search').oninput = () => {
    const first = search().indexOf(true);
    if ($('#search').value && first >= 0) point(first, false);
  };
  $('#search').onkeydown = (event) => {
    if (event.key !== 'Enter') return;
    const first = search().indexOf(true);
    if (first >= 0) {
      point(first, false);
      choose(first);
    }
  };
  new ResizeObserver(draw).observe(svg);
  page.addEventListener('sound', mark);
  page.addEventListener('told', ({detail}) => ['map', 'loaded'].includes(detail.event) && fetchMap());
  page.addEventListener('state', fetchMap, {once: true});
}
