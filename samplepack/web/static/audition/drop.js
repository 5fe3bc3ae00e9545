// A sound of one's own: the nearest known sounds at once, then a timbre that is fitted to it.
import {$, make} from './parts.js';
import {send} from './server.js';

export function dropped(page) {
  const fits = new Map(); // name → the elements that tell of its fit

  async function take(file) {
    page.open('drop');
    const said = make('p', {role: 'status'}, `Reading ${file.name} …`);
    const box = make('section', {}, make('h2', {}, file.name), said);
    $('#dropped').prepend(box);
    try {
      const {name, nearest} = await send(`drop?name=${encodeURIComponent(file.name)}`, file);
      said.textContent = nearest.length ? 'The nearest known sounds:' : 'The map isn’t ready yet, so that the nearest sounds aren’t known.';
      const buttons = nearest.map(({name: near, db}) => {
        const sound = {timbre: near.startsWith('seed ') ? {seed: Number(near.slice(5))} : {instrument: near}};
        return make('button', {onclick: () => page.choose(sound), onpointerenter: () => page.preview(sound)}, near, make('small', {className: 'muted'}, ` ${db} dB`));
      });
      const progress = make('progress', {'aria-label': `Fit of ${name}`});
      const status = make('p', {role: 'status'}, 'Finding a timbre like it …');
      fits.set(name, {progress, status, box});
      box.append(make('div', {className: 'near'}, ...buttons), progress, status);
    } catch (error) {
      page.say(error, said);
      said.className = 'problem';
    }
  }

  page.addEventListener('told', ({detail}) => {
    const fit = detail.event === 'fit' && fits.get(detail.name);
    if (!fit) return;
    if (detail.problem) fit.status.textContent = detail.problem;
    else if (detail.timbre) {
      fit.progress.value = fit.progress.max;
      fit.status.textContent = `Fitted: ${detail.fittedDb} dB away, where ${detail.nearest} is ${detail.nearestDb} dB away.`;
      const sound = {timbre: detail.timbre};
      fit.box.append(
        make('div', {className: 'near'},
          make('button', {className: 'main', onclick: () => page.choose(sound)}, 'Play it'),
          make('button', {onclick: () => page.keep(detail.timbre, detail.name)}, `Keep it as ${detail.name}`)),
      );
    } else {
      fit.progress.max = detail.of;
      fit.progress.value = detail.done;
    }
  });

  const hasFile = (event) => [...(event.dataTransfer?.types ?? [])].includes('Files');
  document.addEventListener('dragover', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    $('#overlay').hidden = false;
  });
  document.addEventListener('dragleave', (event) => event.relatedTarget === null && ($('#overlay').hidden = true));
  document.addEventListener('drop', (event) => {
    if (!hasFile(event)) return;
    event.preventDefault();
    $('#overlay').hidden = true;
    for (const file of event.dataTransfer.files) take(file);
  });
  $('#file').onchange = () => {
    for (const file of $('#file').files) take(file);
    $('#file').value = '';
  };
}
