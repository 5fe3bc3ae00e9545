// The server: requests, events, and whether it is there.

const BASE = new URL('.', location.href);

/** A request was refused; `problems` says why, in lines for people. */
export class Refused extends Error {
  constructor(status, problems) {
    super(problems.join('\n'));
    this.status = status;
    this.problems = problems;
  }
}

async function request(path, options) {
  let response;
  try {
    response = await fetch(new URL(path, BASE), options);
  } catch (error) {
    if (error.name === 'AbortError') throw error;
    throw new Refused(0, ['samplepack doesn’t answer.']);
  }
  if (response.ok) return response;
  const {problems} = await response.json().catch(() => ({problems: [`samplepack answered ${response.status}.`]}));
  throw new Refused(response.status, problems);
}

export const get = async (path) => (await request(path)).json();
export const bytes = async (path) => (await request(path)).arrayBuffer();
export const post = async (path, body) =>
  (await request(path, {method: 'POST', headers: {'content-type': 'application/json'}, body: JSON.stringify(body)})).json();
export const send = async (path, blob) => (await request(path, {method: 'POST', body: blob})).json();

/** Hear the server's events; after a loss, connect again until it is back. */
export function listen({on, lost, back}) {
  let isLost = false;
  const connect = () => {
    const address = new URL('events', BASE);
    address.protocol = 'ws:';
    const socket = new WebSocket(address);
    socket.onopen = () => {
      if (isLost) back();
      isLost = false;
    };
    socket.onmessage = ({data}) => on(JSON.parse(data));
    socket.onclose = () => {
      if (!isLost) lost();
      isLost = true;
      setTimeout(connect, 1000);
    };
  };
  connect();
}
