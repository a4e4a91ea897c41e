// SPDX-License-Identifier: MIT
'use strict';
// Asks for /status.json every second while somebody looks, and writes what it says into the document.

const EVERY_MS = 1000;
const TIMEOUT_MS = 4000;
const HISTORY_SECONDS = 300;

const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const byId = (id) => document.getElementById(id);

// Nothing is written that has not changed: a selection stays, and screen readers are left alone.
function setText(id, text) {
  const element = byId(id);
  if (element.textContent !== text) {
    element.textContent = text;
  }
}

function setNumber(id, value) {
  setText(id, whole.format(value));
}

// As many digits whatever the size, so that a number keeps its width.
function milliseconds(seconds) {
  const ms = seconds * 1000;
  return ms < 10 ? ms.toFixed(2) : ms < 100 ? ms.toFixed(1) : whole.format(ms);
}

function bytes(value) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return (unit === 0 ? value : value.toFixed(1)) + ' ' + units[unit];
}

function date(seconds) {
  return new Date(seconds * 1000).toISOString().slice(0, 16).replace('T', ' ') + ' UTC';
}

function duration(seconds) {
  const parts = [[86400, 'd'], [3600, 'h'], [60, 'min'], [1, 's']];
  let at = parts.findIndex(([length]) => seconds >= length);
  if (at < 0) {
    return '0 s';
  }
  const words = [];
  for (let count = 0; count < 2 && at < parts.length; count += 1, at += 1) {
    words.push(Math.floor(seconds / parts[at][0]) + ' ' + parts[at][1]);
    seconds %= parts[at][0];
  }
  return words.join(' ');
}

function setLevel(id, level) {
  byId(id).classList.remove('good', 'warn', 'bad');
  if (level) {
    byId(id).classList.add(level);
  }
}

// Rows of cells; the first cell is the row's heading. Rows are used again, not made anew.
function setRows(id, rows, emptyText, columns) {
  const body = byId(id);
  const key = JSON.stringify(rows);
  if (body.dataset.shown === key) {
    return;
  }
  body.dataset.shown = key;
  const elements = rows.map((cells) => {
    const row = document.createElement('tr');
    cells.forEach((text, index) => {
      const cell = document.createElement(index === 0 ? 'th' : 'td');
      if (index === 0) {
        cell.scope = 'row';
      }
      cell.textContent = text;
      row.append(cell);
    });
    return row;
  });
  if (rows.length === 0) {
    const row = document.createElement('tr');
    const cell = document.createElement('td');
    cell.colSpan = columns;
    cell.className = 'none';
    cell.textContent = emptyText;
    row.append(cell);
    elements.push(row);
  }
  body.replaceChildren(...elements);
}

function counterRows(counters) {
  return counters
    .slice()
    .sort((a, b) => b.total - a.total)
    .map((counter) => [counter.name.replaceAll('_', ' '), whole.format(counter.minute), whole.format(counter.total)]);
}

// 1, 2 or 5 times a power of ten, so that the scale seldom changes.
function roundUp(value) {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 10)));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value);
}

function showGraph(rates) {
  const highest = Math.max(0, ...rates);
  const top = roundUp(highest);
  const first = HISTORY_SECONDS - rates.length;
  const points = rates.map((rate, index) => (first + index) + ' ' + (100 - (rate / top) * 100).toFixed(2));
  byId('graph-line').setAttribute('d', points.length > 1 ? 'M' + points.join('L') : '');
  byId('graph-area').setAttribute('d', points.length > 1 ? 'M' + first + ' 100L' + points.join('L') + 'V100Z' : '');
  setNumber('graph-max', top);
  setNumber('graph-half', top / 2);
  setText('graph-text', 'Requests a second over the last ' + duration(rates.length) + ': at most ' + whole.format(highest));
}

function showConnections(status) {
  const { open, waiting, limit, accepted } = status.connections;
  const share = limit > 0 ? open / limit : 0;
  setNumber('open', open);
  setNumber('limit', limit);
  setText('connections-note', share >= 1 ? ', full' : share >= 0.8 ? ', nearly full' : '');
  setText('waiting-note', waiting > 0 ? whole.format(waiting) + ' wait for a PROXY header' : '');
  setLevel('connections', share >= 1 ? 'bad' : share >= 0.8 ? 'warn' : '');
  byId('open-bar').setAttribute('width', Math.min(100, share * 100).toFixed(2));
  setNumber('accepted', accepted);
  setRows('refused', counterRows(status.refused), 'None since the start.', 3);
  setRows('workers', status.workers.map((count, index) => [String(index), whole.format(count)]), 'None.', 2);
}

function showHandshakes(status) {
  const handshakes = status.handshakes;
  const some = handshakes.completed_minute > 0;
  setText('handshake-p50', some ? milliseconds(handshakes.p50) : '–');
  setText('handshake-p99', some ? milliseconds(handshakes.p99) : '–');
  setNumber('handshakes-minute', handshakes.completed_minute);
  setNumber('in-progress', handshakes.in_progress);
  setText('delayed-note', handshakes.delayed_minute > 0 ? whole.format(handshakes.delayed_minute) + ' waited for their turn (handshake-rate)' : '');
  setNumber('failed-minute', handshakes.failed_minute);
  setNumber('failed-total', handshakes.failed);
  setNumber('locked-out-total', status.locked_out.total);
  setText('locked-out-note', status.locked_out.minute > 0 ? ', ' + whole.format(status.locked_out.minute) + ' in the last minute' : '');
  // Port scans and health checks are nothing to worry about.
  const worrying = status.failures.filter((counter) => counter.name !== 'probe' && counter.minute > 0);
  setLevel('failed', worrying.length > 0 ? 'warn' : '');
  setRows('failures', counterRows(status.failures), 'None since the start.', 3);
  setRows('closed', counterRows(status.closed), 'None since the start.', 3);
}

function showLag(lag) {
  const silent = lag.silent >= 1;
  setText('lag-p50', milliseconds(lag.p50));
  setText('lag-p99', milliseconds(lag.p99));
  setText('lag-note', silent ? 'Blocked: an event loop has not answered for ' + duration(lag.silent) + '.' :
    lag.p99 >= 0.1 ? 'That is slow: something blocks.' : '');
  setLevel('lag', silent || lag.p99 >= 1 ? 'bad' : lag.p99 >= 0.1 ? 'warn' : '');
}

// Of the clients that asked in the last days, how many would lose nothing by a change to the next key.
function showPins(pins) {
  const clients = pins.clients;
  setText('next-key', !pins.next ? 'none' : 'announced' + (pins.announced ? ' ' + date(pins.announced).slice(0, 10) : ''));
  setText('pins-clients', (pins.one_in > 1 ? 'about ' : '') + whole.format(clients.total) + ' in ' + pins.days + ' days' +
    (pins.next && clients.total > 0 ? ', ' + whole.format(clients.next) + ' accept the next key' : '') +
    (pins.one_in > 1 ? ' (estimated from one address in ' + whole.format(pins.one_in) + ')' : ''));
}

function showCertificate(status) {
  const certificate = status.certificate;
  const past = certificate.not_after <= status.now;
  const days = certificate.days_left;
  setNumber('days', Math.abs(days));
  setText('days-unit', past ? 'days past' : 'days left');
  setText('not-after', (past ? 'ended ' : 'ends ') + date(certificate.not_after));
  setText('certificate-note', past ? 'Put a new one in its place.' : days < 30 ? 'Renew it soon.' : '');
  setLevel('certificate', past || days < 7 ? 'bad' : days < 30 ? 'warn' : 'good');
  const next = status.next_certificate;
  setText('next-certificate', !next ? '' : 'next key: ' + whole.format(Math.abs(next.days_left)) + (next.days_left < 0 ? ' days past' : ' days left'));
  showPins(status.pins);
  setText('ticket-key', duration(status.ticket_key_age));
  byId('ocsp-row').hidden = !status.ocsp;
  if (status.ocsp) {
    setText('ocsp', date(status.ocsp.next_update));
  }
}

function showReload(status) {
  const words = { none: 'None', success: 'Success', unchanged: 'Unchanged', failure: 'Failed' };
  const reload = status.reload;
  setText('reload-result', words[reload.result]);
  setText('reload-at', reload.result === 'none' ? 'since the start' : date(reload.at));
  setText('reload-failure', reload.failure ? 'What was active before stays: ' + reload.failure : '');
  setLevel('reload', reload.result === 'failure' ? 'bad' : reload.result === 'none' ? '' : 'good');
}

function show(status) {
  const open = status.connections.open;
  setText('state', status.state);
  setLevel('state', status.state === 'ready' ? 'good' : '');
  setText('since', status.draining_since ?
    'for ' + duration(status.now - status.draining_since) + ', ' + whole.format(open) + (open === 1 ? ' connection' : ' connections') + ' left' :
    'up ' + duration(status.now - status.started));
  document.title = status.state + ' – Space Captain';
  showConnections(status);
  showHandshakes(status);
  showLag(status.loop_lag);
  showCertificate(status);
  showReload(status);
  setNumber('pauses', status.pauses_minute);
  setNumber('rate', status.requests.rate);
  setNumber('requests-minute', status.requests.minute);
  setNumber('requests-total', status.requests.total);
  showGraph(status.rates);
  setText('received', bytes(status.bytes.received));
  setText('sent', bytes(status.bytes.sent));
  setText('memory', bytes(status.memory));
  setText('files', whole.format(status.files.open) + ' of ' + whole.format(status.files.limit));
  setText('version', 'sc-server ' + status.version + ', OpenSSL ' + status.openssl + ', libevent ' + status.libevent);
}

function showTrouble(text) {
  setText('trouble', text);
  byId('trouble').hidden = text === '';
  byId('facts').classList.toggle('old', text !== '');
  if (text !== '') {
    setText('state', 'no answer');
    setLevel('state', 'bad');
    document.title = 'no answer – Space Captain';
  }
}

let timer = 0;
let lastAnswer = '';

async function refresh() {
  clearTimeout(timer);
  const abort = new AbortController();
  const limit = setTimeout(() => abort.abort(), TIMEOUT_MS);
  try {
    const answer = await fetch('/status.json', { cache: 'no-store', signal: abort.signal });
    if (!answer.ok) {
      throw new Error('status ' + answer.status);
    }
    show(await answer.json());
    lastAnswer = new Date().toLocaleTimeString();
    showTrouble('');
  } catch {
    showTrouble('The server does not answer.' + (lastAnswer ? ' What is shown here is of ' + lastAnswer + '.' : ''));
  } finally {
    clearTimeout(limit);
    clearTimeout(timer);
    if (!document.hidden) {
      timer = setTimeout(refresh, EVERY_MS);
    }
  }
}

document.addEventListener('visibilitychange', () => {
  if (document.hidden) {
    clearTimeout(timer);
  } else {
    refresh();
  }
});
refresh();
