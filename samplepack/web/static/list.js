// The list of a site's packs: a search, and arrow keys. No module, so that a browser also runs it without a server.

(() => {
  const list = document.querySelector('.packs');
  const words = document.querySelector('#words');
  // Upper case, since ß has one of two letters.
  const plain = (text) => text.normalize('NFD').replace(/\p{M}/gu, '').toUpperCase();
  const packs = [...list.children].map((item) => {
    const texts = [...item.querySelectorAll('.name, .description, .about, .names')].map((part) => part.textContent);
    return {item, link: item.querySelector('a'), text: plain(texts.join(' '))};
  });
  const shown = () => packs.filter(({item}) => !item.hidden).map(({link}) => link);

  /** Show the packs whose text holds every word of the search. */
  function search() {
    const wanted = plain(words.value).split(/\s+/);
    for (const {item, text} of packs) item.hidden = !wanted.every((word) => text.includes(word));
    document.querySelector('#found').textContent = `${shown().length} of ${packs.length} packs`;
  }

  function isModified(event) {
    return event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.isComposing;
  }

  words.addEventListener('input', search);
  words.addEventListener('keydown', (event) => {
    const [first] = shown();
    if (!first || isModified(event)) return;
    if (event.key === 'Enter') first.click();
    if (event.key === 'ArrowDown') first.focus();
    if (event.key === 'Enter' || event.key === 'ArrowDown') event.preventDefault();
  });
  list.addEventListener('keydown', (event) => {
    const links = shown();
    const at = links.indexOf(event.target);
    const columns = getComputedStyle(list).gridTemplateColumns.split(' ').length;
    const step = {ArrowLeft: -1, ArrowRight: 1, ArrowUp: -columns, ArrowDown: columns}[event.key];
    if (at < 0 || !step || isModified(event)) return;
    event.preventDefault();
    const to = at + step;
    (to < 0 ? words : links[Math.min(to, links.length - 1)]).focus();
  });
  document.addEventListener('keydown', (event) => {
    if (event.key !== '/' || event.target === words || isModified(event)) return;
    event.preventDefault();
    words.select();
  });
  window.addEventListener('pageshow', search); // a browser that comes back fills the search in again
  document.querySelector('.search').hidden = packs.length < 2;
})();
