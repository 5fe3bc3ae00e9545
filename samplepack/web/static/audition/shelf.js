// The shelf: favourites by name, in order, and the paths through them.
import {$, inWords, make} from './parts.js';

export function shelf(page) {
  const ticked = new Set();
  let dragged = null;
  const said = $('#shelf-said');

  function freeName(wanted) {
    const names = new Set([...Object.keys(page.state.timbres), ...Object.keys(page.state.bank), ...Object.keys(page.state.paths)]);
    let name = wanted;
    for (let number = 2; names.has(name); number++) name = `${wanted} ${number}`;
    return name;
  }

  /** Put a timbre on the shelf. */
  page.keep = (timbre, name) => {
    const wanted = name || freeName(timbre.instrument ?? (timbre.seed === undefined ? 'Sound' : `Seed ${timbre.seed}`));
    return page.change({op: 'timbre', name: wanted, timbre}, said, {name: wanted});
  };

  $('#keep').onsubmit = async (event) => {
    event.preventDefault();
    const name = $('#keep-name').value.trim();
    if (!page.timbre) said.textContent = 'Paths are on the shelf already.';
    else if (name in page.state.timbres) said.textContent = `There is a '${name}' already; give it another name.`;
    else if (await page.keep(page.timbre, name)) $('#keep-name').value = '';
  };

  function order(names) {
    return page.change({op: 'order', kind: 'timbres', names}, said);
  }

  function row(name, timbre, names) {
    const i = names.indexOf(name);
    const moveTo = (j) => {
      const without = names.filter((each) => each !== name);
      without.splice(j, 0, name);
      return order(without);
    };
    const play = make('button', {className: 'play', title: inWords(timbre)}, name, make('small', {}, inWords(timbre)));
    play.onclick = () => page.choose({name});
    play.onpointerenter = () => page.preview({name});
    play.onkeydown = async (event) => {
      if (!event.altKey || !['ArrowUp', 'ArrowDown'].includes(event.key)) return;
      event.preventDefault();
      event.stopPropagation();
      const to = i + (event.key === 'ArrowUp' ? -1 : 1);
      if (to >= 0 && to < names.length && (await moveTo(to))) $('#shelf').children[to].querySelector('.play').focus();
    };
    const tick = make('input', {type: 'checkbox', checked: ticked.has(name), 'aria-label': `${name} on the path`});
    tick.onchange = () => (tick.checked ? ticked.add(name) : ticked.delete(name));
    const element = make(
      'li', {draggable: true, className: page.sound?.name === name ? 'current' : ''},
      make('span', {className: 'handle', title: 'Drag to order, or Alt and an arrow key', 'aria-hidden': 'true'}, '⠿'),
      tick, play, ...tools('timbres', name),
    );
    element.ondragstart = (event) => {
      dragged = name;
      event.dataTransfer.setData('text/plain', name);
      event.dataTransfer.effectAllowed = 'move';
    };
    element.ondragend = () => (dragged = null);
    element.ondragover = (event) => {
      if (dragged === null) return;
      event.preventDefault();
      element.classList.add('over');
    };
    element.ondragleave = () => element.classList.remove('over');
    element.ondrop = (event) => {
      if (dragged === null) return;
      event.preventDefault();
      const from = dragged;
      const without = names.filter((each) => each !== from);
      without.splice(i, 0, from);
      order(without);
    };
    return element;
  }

  function tools(kind, name) {
    const rename = make('button', {className: 'tool', 'aria-label': `Rename ${name}`}, 'Rename');
    rename.onclick = () => {
      const input = make('input', {value: name, maxLength: 80, 'aria-label': `New name of ${name}`});
      const done = async () => {
        input.onblur = null;
        const to = input.value.trim();
        const isDone = to && to !== name &&
          (await page.change({op: 'rename', kind, name, to}, said, page.sound?.name === name ? {name: to} : null));
        if (isDone && ticked.delete(name)) ticked.add(to);
        show();
      };
      input.onkeydown = (event) => {
        event.stopPropagation();
        if (event.key === 'Enter') done();
        if (event.key === 'Escape') show();
      };
      input.onblur = done;
      rename.parentElement.querySelector('.play').replaceWith(input);
      input.focus();
      input.select();
    };
    const remove = make('button', {className: 'tool', 'aria-label': `Remove ${name}`}, '×');
    remove.onclick = () => page.change({op: 'remove', kind, name}, said);
    return [rename, remove];
  }

  function show() {
    if (!page.state) return;
    const {timbres, paths, points, bank} = page.state;
    const names = Object.keys(timbres);
    for (const name of ticked) if (!names.includes(name)) ticked.delete(name);
    const pathRow = ([name, path]) => {
      const play = make('button', {className: 'play', title: path.through.join(' → ')}, name, make('small', {}, `${path.as ?? 'instruments'}: ${path.through.join(' → ')}`));
      const own = points[name] ?? [];
      const heard = page.sound?.name;
      play.disabled = path.as === 'wavetable';
      play.onclick = () => page.choose({name: own[0] ?? name});
      const each = own.map((point, i) => {
        const button = make('button', {'aria-label': point, 'aria-pressed': heard === point, title: point}, String(i + 1));
        button.onclick = () => page.choose({name: point});
        button.onpointerenter = () => page.preview({name: point});
        return button;
      });
      return make(
        'li', {className: heard === name || own.includes(heard) ? 'current' : ''},
        make('span', {className: 'handle', 'aria-hidden': 'true'}, '⤳'), play, ...tools('paths', name),
        ...(own.length ? [make('div', {className: 'points', role: 'group', 'aria-label': `Points of ${name}`}, ...each)] : []),
      );
    };
    const bankRow = (name) => {
      const play = make('button', {className: 'play'}, name, make('small', {}, 'bank'));
      play.onclick = () => page.choose({name});
      return make('li', {className: page.sound?.name === name ? 'current' : ''}, play);
    };
    $('#shelf').replaceChildren(...names.map((name) => row(name, timbres[name], names)), ...Object.entries(paths).map(pathRow), ...Object.keys(bank).map(bankRow));
  }

  $('#make-path').onsubmit = async (event) => {
    event.preventDefault();
    const through = Object.keys(page.state.timbres).filter((name) => ticked.has(name));
    if (through.length < 2) {
      said.textContent = 'Tick two favourites or more; the path goes through them in their order.';
      return;
    }
    const as = $('#path-as').value;
    const path = {through, steps: $('#path-steps').valueAsNumber, ...(as === 'morph' && {as})};
    const name = $('#path-name').value.trim() || freeName(`${through[0]} to ${through.at(-1)}`);
    if (await page.change({op: 'path', name, path}, said)) $('#path-name').value = '';
  };

  page.addEventListener('state', show);
  page.addEventListener('sound', show);
}
