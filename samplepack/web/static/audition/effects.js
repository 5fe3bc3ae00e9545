// The recipe's chain of effects, with a slider for each parameter.
import {$, make, settled} from './parts.js';

export function effects(page) {
  const chain = () => structuredClone(page.state.process);

  async function write(process, isPlayed = true) {
    const isDone = await page.change({op: 'process', process}, $('#effects-said'));
    if (isDone && isPlayed && page.sound) page.preview(page.sound);
    return isDone;
  }

  const writeSoon = settled(write, 140);
  let pending = null; // the chain with what the sliders say, until it is written

  function slid(i, name, parameter, value) {
    pending ??= chain();
    pending[i][name][parameter] = value;
    const process = pending;
    writeSoon(process);
  }

  function control(i, name, values, one) {
    const value = values[one.name] ?? one.default;
    const title = one.name.replaceAll('_', ' ');
    const output = make('output', {}, text(value));
    let input;
    if (one.kind === 'switch') {
      input = make('input', {type: 'checkbox', checked: value});
      input.onchange = () => slid(i, name, one.name, input.checked);
    } else if (one.kind === 'choice') {
      input = make('select', {}, ...one.choices.map((each) => new Option(each, each, false, each === value)));
      input.onchange = () => slid(i, name, one.name, input.value);
    } else {
      const low = Math.min(one.low, value);
      const high = Math.max(one.high, value);
      const [to, from] = one.log && low > 0
        ? [(x) => Math.log(x / low) / Math.log(high / low), (t) => low * (high / low) ** t]
        : [(x) => (x - low) / (high - low), (t) => low + t * (high - low)];
      input = make('input', {type: 'range', min: 0, max: 1, step: 0.005, value: to(value)});
      input.oninput = () => {
        const now = Number(from(input.valueAsNumber).toPrecision(3));
        output.textContent = text(now);
        input.setAttribute('aria-valuetext', text(now));
        slid(i, name, one.name, now);
      };
      input.setAttribute('aria-valuetext', text(value));
    }
    input.dataset.parameter = `${i}.${one.name}`;
    return make('label', {}, make('span', {}, title), input, output);
  }

  const text = (value) => (typeof value === 'number' ? String(Number(value.toPrecision(3))) : '');

  function show() {
    pending = null;
    const focused = document.activeElement?.dataset?.parameter;
    if (focused && $('#effects').contains(document.activeElement)) {
      const names = page.state.process.map((step) => Object.keys(step)[0]).join();
      if (names === $('#effects').dataset.names) return; // somebody moves a slider
    }
    $('#effects').dataset.names = page.state.process.map((step) => Object.keys(step)[0]).join();
    const count = page.state.process.length;
    $('#effects').replaceChildren(
      ...page.state.process.map((step, i) => {
        const [[name, values]] = Object.entries(step);
        const swap = (j) => () => {
          const process = chain();
          [process[i], process[j]] = [process[j], process[i]];
          write(process);
        };
        const tool = (label, title, onclick, disabled = false) => make('button', {title, onclick, disabled, 'aria-label': `${name}: ${title}`}, label);
        return make(
          'li', {className: 'effect'},
          make('div', {className: 'row'}, make('h3', {}, name),
            tool('↑', 'earlier', swap(i - 1), i === 0), tool('↓', 'later', swap(i + 1), i === count - 1),
            tool('×', 'remove', () => write(chain().toSpliced(i, 1)))),
          ...(page.state.effects[name] ?? []).map((one) => control(i, name, values, one)),
          ...(page.state.effects[name] ? [] : [make('p', {className: 'muted'}, 'It needs a file; change it in the recipe’s text.')]),
        );
      }),
    );
    if (!count) $('#effects').append(make('li', {className: 'muted'}, 'No effects yet.'));
  }

  $('#add-effect').onclick = () => write([...chain(), {[$('#effect').value]: {}}]);
  page.addEventListener('state', () => {
    if (!$('#effect').options.length) $('#effect').replaceChildren(...Object.keys(page.state.effects).map((name) => new Option(name)));
    if (!$('#effect').dataset.set) {
      $('#effect').value = 'Reverb';
      $('#effect').dataset.set = '1';
    }
    show();
  });
}
