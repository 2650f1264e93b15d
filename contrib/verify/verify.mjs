#!/usr/bin/env node
// A second verifier of Quasar's archives and proofs, written from docs/log-format.md alone.
// Node 18 or newer, no packages. See README.md for what it can and cannot show.

import { createHash, createPublicKey, verify as verifySignature } from "node:crypto";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as zlib from "node:zlib";

const USAGE = "usage: node verify.mjs [--log-key HEX]... [--hotkey SS58] ARCHIVE_OR_PROOF...";
const MAX_LINE = 65535;
const MAX_TEXT = 2 ** 31 - 1;
const TILE = 256;

class Wrong extends Error {} // what is read is not what it should be: exit code 1
class Unknown extends Error {} // this program cannot tell: exit code 2

function need(good, problem) {
  if (!good) throw new Wrong(problem);
}

const sha256 = (...parts) =>
  parts.reduce((hash, part) => hash.update(part), createHash("sha256")).digest();
const LEAF = Buffer.from([0]);
const NODE = Buffer.from([1]);
const leafHash = (line) => sha256(LEAF, line);
const nodeHash = (left, right) => sha256(NODE, left, right);

/** All complete subtrees: level k holds those of 2^k leaves, joined. */
class Tree {
  constructor(leaves) {
    this.levels = [leaves];
    for (let below = leaves; below.length >= 64; below = this.levels.at(-1)) {
      const above = Buffer.alloc(Math.floor(below.length / 64) * 32);
      for (let i = 0; i < above.length; i += 32) {
        sha256(NODE, below.subarray(2 * i, 2 * i + 64)).copy(above, i);
      }
      this.levels.push(above);
    }
  }

  /** Root over the first leaves: complete subtrees, the largest first, joined from the right. */
  root(size) {
    let root = null;
    for (let k = 0, end = size; end > 0; k++, end = Math.floor(end / 2)) {
      if (end % 2 === 0) continue;
      const left = this.levels[k].subarray((end - 1) * 32, end * 32);
      root = root === null ? left : nodeHash(left, root);
    }
    return root ?? sha256();
  }
}

/** Walk from a leaf (or an old tree's last subtree) to the root; onStep tells the side. */
function climb(at, last, hashes, onStep) {
  for (const hash of hashes) {
    if (last === 0) return false;
    const left = at % 2 === 1 || at === last;
    onStep(hash, left);
    while (left && at % 2 === 0 && at > 0) [at, last] = [at / 2, Math.floor(last / 2)];
    [at, last] = [Math.floor(at / 2), Math.floor(last / 2)];
  }
  return last === 0;
}

function isIncluded(leaf, index, size, hashes, root) {
  if (index < 0 || index >= size) return false;
  let sum = leaf;
  const arrived = climb(index, size - 1, hashes, (hash, left) => {
    sum = left ? nodeHash(hash, sum) : nodeHash(sum, hash);
  });
  return arrived && sum.equals(root);
}

function isPrefix(old, size, hashes, oldRoot, newRoot) {
  if (old > size) return false;
  if (old === 0) return hashes.length === 0 && oldRoot.equals(sha256());
  if (old === size) return hashes.length === 0 && oldRoot.equals(newRoot);
  let [at, last] = [old - 1, size - 1];
  while (at % 2 === 1) [at, last] = [(at - 1) / 2, Math.floor(last / 2)];
  const [first, ...rest] = at === 0 ? [oldRoot, ...hashes] : hashes; // 0: old is a power of two
  if (!first) return false;
  let [older, newer] = [first, first];
  const arrived = climb(at, last, rest, (hash, left) => {
    if (left) older = nodeHash(hash, older);
    newer = left ? nodeHash(hash, newer) : nodeHash(newer, hash);
  });
  return arrived && older.equals(oldRoot) && newer.equals(newRoot);
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decode(name, form, decoder) {
  try {
    return decoder();
  } catch (error) {
    throw new Wrong(`${name} is not ${form}: ${error.message}`);
  }
}

const text = (data, name) => decode(name, "UTF-8", () => utf8.decode(data));
const json = (data, name) =>
  decode(name, "JSON", () => JSON.parse(typeof data === "string" ? data : utf8.decode(data)));

function base64(word, name, bytes) {
  const data = Buffer.from(String(word), "base64");
  need(data.toString("base64") === word, `${name} is not plain base64`);
  need(bytes === undefined || data.length === bytes, `${name} is not ${bytes} bytes long`);
  return data;
}

function decimal(word, name) {
  need(/^(0|[1-9][0-9]{0,15})$/.test(word), `${name} is not a plain decimal number`);
  return Number(word);
}

/** A regular file; null where there is none. Links are not followed. */
function readFile(folder, name) {
  let path = folder;
  for (const part of name.split("/")) {
    path = join(path, part);
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) return null;
    need(!found.isSymbolicLink(), `${name} is or lies behind a symbolic link`);
  }
  need(lstatSync(path).isFile(), `${name} is not a regular file`);
  return readFileSync(path);
}

const listFolder = (path) => (existsSync(path) ? readdirSync(path).sort() : []);

/** The size and root in a note, once the key for that size is found to have signed them. */
function openNote(note, log, name, keys = log.keys) {
  need(!/[\x00-\x09\x0b-\x1f]/.test(note) && note.endsWith("\n"), `${name} is not a signed note`);
  const cut = note.lastIndexOf("\n\n") + 1;
  const [origin, told, hash, ...rest] = note.slice(0, cut).split("\n");
  need(rest.join() === "" && rest.length === 1, `${name} is not three lines and signatures`);
  need(origin === log.origin, `${name} is of ${origin}, not of ${log.origin}`);
  const size = decimal(told, `the size of ${name}`);
  const signers = keys.filter((key) => isSigned(note, cut, origin, key, name));
  const good = signers.some(({ first, last }) => first <= size && size <= last);
  const [other] = signers;
  const why = !other ? "no log key" : `a key ${size < other.first
    ? `that signs from ${other.first} on` : `${other.ended} after ${other.last}`}`;
  need(good, `${name}, a checkpoint over ${size}, is signed by ${why}`);
  return { size, root: base64(hash, `the root of ${name}`, 32) };
}

/** Whether a key signed the note's first lines; a wrong signature under its name is a fault. */
function isSigned(note, cut, origin, { key, publicKey }, name) {
  const keyId = sha256(origin, "\n", NODE, key).subarray(0, 4);
  let signed = false;
  for (const line of note.slice(cut + 1, -1).split("\n")) {
    const [, by, word] = /^\u2014 (\S+) (\S+)$/.exec(line) ?? [];
    need(by, `${name} has a signature line that is none`);
    const data = base64(word, `a signature of ${name}`);
    if (by !== origin || !data.subarray(0, 4).equals(keyId)) continue; // a witness's
    signed = verifySignature(null, Buffer.from(note.slice(0, cut)), publicKey, data.subarray(4));
    need(signed, `${name} has a wrong signature`);
  }
  return signed;
}

/** An Ed25519 key, and the sizes of the checkpoints that it may sign. */
function readKey(hex, first, seq) {
  need(/^[0-9a-f]{64}$/.test(hex), `the log key in event ${seq} is not 64 hex digits`);
  const key = Buffer.from(hex, "hex");
  const der = Buffer.concat([Buffer.from("302a300506032b6570032100", "hex"), key]);
  const publicKey = createPublicKey({ key: der, format: "der", type: "spki" });
  return { hex, key, publicKey, first, last: Infinity };
}

/** Whose log it is, from event 1. */
function readOpening(line, options) {
  const { event } = json(line, "event 1");
  need(event?.type === "LogOpened", "event 1 is not LogOpened, so no log key is known");
  const { genesis, netuid, hotkey, log_number: number, log_id: id, volume } = event;
  const named = sha256(`${genesis}\n${netuid}\n${hotkey}\n${number}`).toString("hex").slice(0, 8);
  need(named === id, "the log id in event 1 does not follow from the rest of it");
  need((options.hotkey ?? hotkey) === hotkey, `it is the log of ${hotkey}, not ${options.hotkey}`);
  const log = { event, keys: [], origin: `quasar/${netuid}/${hotkey}/${id}/${volume}`, options };
  return addKey(log, readKey(event.log_key, 0, 1));
}

function addKey(log, key) {
  const named = log.options["log-key"]?.[log.keys.length] ?? key.hex;
  need(named === key.hex, `its log key is ${key.hex}, not ${named}`);
  need(log.keys.every(({ hex }) => hex !== key.hex), `the log key ${key.hex} comes twice`);
  return { ...log, keys: [...log.keys, key] };
}

/** The log once the event `seq` has replaced its key. */
function rotate(log, seq, event) {
  const { number, first, until, reason, log_key: hex } = event;
  const [current] = log.keys.slice(-1);
  need(number === log.keys.length, `event ${seq}: log keys are not numbered without gaps`);
  need(first === seq, `event ${seq}: it was signed to be event ${first}`);
  need(["rotated", "revoked"].includes(reason), `event ${seq}: the log key was ${reason}`);
  const fits = reason === "rotated" ? until === first - 1 : until < first;
  need(Number.isSafeInteger(until) && fits && until >= Math.max(0, current.first - 1),
    `event ${seq}: the log key before it cannot end after ${until}`);
  const ended = { ...current, last: until, ended: reason === "revoked" ? "revoked" : "replaced" };
  return addKey({ ...log, keys: [...log.keys.slice(0, -1), ended] }, readKey(hex, first, seq));
}

function unpack(data, name) {
  if (zlib.zstdDecompressSync) {
    const options = { info: true, maxOutputLength: MAX_TEXT };
    const frames = []; // Node stops behind each; a torn one lacks lines, which is seen later
    for (let rest = data, used = 1; rest.length > 0 && used > 0; rest = rest.subarray(used)) {
      const frame = decode(name, "Zstandard", () => zlib.zstdDecompressSync(rest, options));
      frames.push(frame.buffer);
      used = frame.engine.bytesWritten;
    }
    return Buffer.concat(frames);
  }
  const done = spawnSync("zstd", ["-d", "-c", "-q"], { input: data, maxBuffer: MAX_TEXT });
  if (done.error?.code === "ENOENT") {
    throw new Unknown("this Node has no Zstandard: install Node 22.15 or newer, or `zstd`");
  }
  if (done.error) throw new Unknown(`zstd did not run: ${done.error.message}`);
  need(done.status === 0, `${name} is not Zstandard: ${String(done.stderr).trim()}`);
  return done.stdout;
}

function readManifest(folder) {
  const data = readFile(folder, "manifest.json");
  if (data === null) throw new Unknown(`${folder} has no manifest.json, so it is no archive`);
  const manifest = json(data, "manifest.json");
  const { format, last } = manifest;
  if (format !== "quasar-archive/1") throw new Unknown(`${folder} is of the format ${format}`);
  need(Number.isSafeInteger(last) && last > 0, "the archive holds no events");
  return manifest;
}

/** Every blob that an event names: an object of exactly the fields sha256 and bytes. */
function* namedBlobs(value) {
  if (value === null || typeof value !== "object") return;
  if (Object.keys(value).join() === "sha256,bytes") yield value;
  else for (const inner of Object.values(value)) yield* namedBlobs(inner);
}

class Archive {
  constructor(folder, options) {
    Object.assign(this, { folder, options, problems: [], notes: [] });
    Object.assign(this, { slots: new Set(), blobs: new Map() });
    this.manifest = readManifest(folder);
    this.last = this.manifest.last;
    this.leaves = Buffer.alloc(this.last * 32);
    this.tiles = this.listTiles();
  }

  /** Goes on after a problem, to name them all. */
  try(step) {
    try {
      step();
    } catch (error) {
      if (!(error instanceof Wrong)) throw error;
      this.problems.push(error.message);
    }
  }

  check() {
    this.try(() => this.checkLines());
    if (this.problems.length > 0) return; // what follows needs every line
    this.try(() => this.checkManifest());
    this.tree = new Tree(this.leaves);
    for (const tile of this.tiles) this.try(() => this.checkTile(tile));
    for (const name of listFolder(join(this.folder, "checkpoints"))) {
      if (!name.startsWith(".")) this.try(() => this.checkNoteFile(`checkpoints/${name}`, name));
    }
    for (const { seq, note, size, keys } of this.notes) {
      // by the key of that time: a later event may have revoked it
      this.try(() => this.checkNote(note, `the note in event ${seq}`, size, keys));
    }
    this.try(() => this.checkNoteFile("checkpoint", this.last));
    for (const [name, seq] of this.blobs) this.try(() => this.checkBlob(name, seq));
  }

  checkLines() {
    let seq = 0;
    for (const { name, first, last } of this.manifest.segments) {
      need(first === seq + 1 && last >= first, `event ${seq + 1} is in no segment, or in two`);
      const right = `${String(first).padStart(20, "0")}.jsonl.zst`;
      need(name === right, `the segment of event ${first} must be ${right}`);
      const data = readFile(this.folder, `segments/${name}`);
      need(data !== null, `event ${first}: segments/${name} is missing`);
      const lines = unpack(data, `segments/${name}, from event ${first} on,`);
      for (let start = 0; start < lines.length; ) {
        const end = lines.indexOf(10, start);
        need(end >= 0, `event ${seq + 1}: the line is cut off`);
        seq += 1;
        need(seq <= last, `event ${seq}: segments/${name} goes on behind its last event`);
        this.checkLine(seq, lines.subarray(start, end));
        start = end + 1;
      }
      need(seq === last, `event ${seq + 1} is missing: segments/${name} ends before it`);
    }
    need(seq === this.last, `event ${seq + 1}: the manifest says ${this.last} events`);
    need(this.manifest.first === 1, "the manifest does not begin with event 1");
  }

  checkLine(seq, line) {
    need(line.length > 0 && line.length <= MAX_LINE, `event ${seq}: ${line.length} bytes long`);
    const leaf = leafHash(line);
    need(leaf.equals(this.recorded(seq)), `event ${seq}: the line differs from its hash in tile/0`);
    leaf.copy(this.leaves, (seq - 1) * 32);
    const { key, cause, event } = json(line, `event ${seq}`);
    need(!this.slots.has(key), `event ${seq}: a second event in the slot ${key}`);
    need(Number.isSafeInteger(cause) && cause < seq, `event ${seq}: its cause comes after it`);
    this.slots.add(key);
    if (seq === 1) this.log = readOpening(line, this.options);
    if (event.type === "CheckpointSigned") this.notes.push({ ...event, seq, keys: this.log.keys });
    if (event.type === "LogKeyRotated") this.log = rotate(this.log, seq, event);
    for (const { sha256: name, bytes } of namedBlobs(event)) {
      if (!this.blobs.has(name)) this.blobs.set(name, { seq, bytes });
    }
  }

  /** The tiles that are there, narrow ones first. */
  listTiles() {
    const tiles = [];
    for (const name of readdirSync(join(this.folder, "tile/0"), { recursive: true })) {
      const found = /^((?:x\d{3}\/)*\d{3})(?:\.p\/([1-9]\d{0,2}))?$/.exec(name);
      if (!found) continue;
      const start = Number(found[1].replace(/[x/]/g, "")) * TILE;
      tiles.push({ name: `tile/0/${name}`, start, width: Number(found[2] ?? TILE) });
    }
    return tiles.sort((a, b) => a.start - b.start || a.width - b.width);
  }

  /** The hash that the widest tile has for an event. */
  recorded(seq) {
    const start = seq - 1 - ((seq - 1) % TILE);
    if (this.tile?.start !== start) {
      const widest = this.tiles.filter((tile) => tile.start === start).at(-1);
      const enough = widest && start + widest.width >= Math.min(start + TILE, this.last);
      need(enough, `event ${seq}: its hash is missing, no tile holds it`);
      this.tile = { start, data: readFile(this.folder, widest.name) };
    }
    return this.tile.data.subarray((seq - 1 - start) * 32, (seq - start) * 32);
  }

  /** Any tile, those that only older checkpoints need as well. */
  checkTile({ name, start, width }) {
    const tile = readFile(this.folder, name);
    need(start < this.last, `${name} holds hashes of events that are not in the manifest`);
    need(tile.length === width * 32, `event ${start + 1}: ${name} is not ${width} hashes long`);
    for (let seq = start + 1; seq <= Math.min(start + width, this.last); seq++) {
      const right = this.leaves.subarray((seq - 1) * 32, seq * 32);
      const there = tile.subarray((seq - 1 - start) * 32, (seq - start) * 32);
      need(right.equals(there), `event ${seq}: its hash differs in ${name}`);
    }
  }

  checkManifest() {
    const listed = new Set(this.manifest.segments.map(({ name }) => name));
    const extra = listFolder(join(this.folder, "segments")).find((name) => !listed.has(name));
    need(!extra, `segments/${extra} is not in the manifest`);
    const names = ["log_id", "volume", "netuid", "hotkey", "genesis"];
    const other = names.find((name) => this.manifest[name] !== this.log.event[name]);
    need(!other, `the manifest names another ${other} than event 1`);
  }

  /** A note of any age, whose root must be that of as many of the lines. */
  checkNote(note, name, sized, keys = this.log.keys) {
    const { size, root } = openNote(note, this.log, name, keys);
    need(size <= this.last, `${name} covers ${size} events, of which some are missing`);
    need(root.equals(this.tree.root(size)), `${name} has another root than the lines`);
    need(String(size) === String(sized), `${name} covers ${size} events, not ${sized}`);
  }

  checkNoteFile(name, size) {
    const data = readFile(this.folder, name);
    need(data !== null, `${name} is missing`);
    this.checkNote(text(data, name), name, size);
  }

  checkBlob(name, { seq, bytes }) {
    need(/^[0-9a-f]{64}$/.test(name), `event ${seq} names a blob by ${name}`);
    const data = readFile(this.folder, `blobs/${name.slice(0, 2)}/${name}`);
    need(data !== null, `event ${seq}: its blob ${name} is missing`);
    const right = data.length === bytes && sha256(data).toString("hex") === name;
    need(right, `event ${seq}: its blob ${name} holds other bytes`);
  }
}

function checkArchive(folder, options) {
  const archive = new Archive(folder, options);
  archive.check();
  const { log, last, blobs, problems } = archive;
  if (problems.length > 0) return { problems };
  return { log, good: `${last} events and ${blobs.size} blobs of ${log.origin}, all signed for` };
}

const PROOF = "c2sp.org/tlog-proof@v1";
const GROWTH = "quasar/consistency-proof@v1";

function checkProof(path, options) {
  const [head, ...parts] = text(readFileSync(path), path).split("\n\n");
  const lines = head.split("\n");
  const header = lines.shift();
  if (![PROOF, GROWTH].includes(header)) throw new Unknown(`${path} is neither archive nor proof`);
  if (!lines[0]?.startsWith("extra ")) throw new Unknown(`${path} does not carry its events`);
  const extra = json(base64(lines.shift().slice(6), "extra"), "extra");
  if (extra.format !== "quasar-proof/1") throw new Unknown(`${path} carries ${extra.format}`);
  const field = (name) => {
    const line = lines.shift() ?? "";
    need(line.startsWith(`${name} `), `the proof lacks its line ${name}`);
    return decimal(line.slice(name.length + 1), name);
  };
  return (header === PROOF ? checkEvents : checkGrowth)(extra, field, lines, parts, options);
}

/** Each shown event under the checkpoint; event 1 says whose key must have signed that. */
function proveAll(shown, note, options) {
  const first = shown.find(({ index }) => index === 0);
  need(first, "the proof lacks event 1, which names the log key");
  let log = readOpening(first.event, options);
  for (const { index, event } of [...shown].sort((a, b) => a.index - b.index)) {
    const { event: told } = json(event, `event ${index + 1}`);
    if (told?.type === "LogKeyRotated") log = rotate(log, index + 1, told);
  }
  const { size, root } = openNote(note, log, "the checkpoint");
  for (const { index, hashes, event } of shown) {
    const path = hashes.map((hash) => base64(hash, "a hash", 32));
    const good = isIncluded(leafHash(event), index, size, path, root);
    need(good, `event ${index + 1} does not stand there in the signed log of ${size} events`);
  }
  return { log, size };
}

function checkEvents(extra, field, lines, parts, options) {
  const main = { index: field("index"), hashes: lines, event: extra.event };
  need(["inclusion", "score"].includes(extra.kind), `the proof is of kind ${extra.kind}`);
  need(typeof extra.event === "string", "the proof does not carry its event");
  const shown = [main, ...extra.others];
  const { log, size } = proveAll(shown, parts.join("\n\n"), options);
  const what = extra.kind === "score" ? checkScore(shown, extra.request, log) : "it";
  return { log, good: `event ${main.index + 1} of ${size} of ${log.origin}: ${what} is proved` };
}

function checkGrowth(extra, field, lines, parts, options) {
  const [old, size] = [field("old"), field("new")];
  need(parts.length === 4, "the proof does not end with two checkpoints");
  const note = `${parts[2]}\n\n${parts[3]}`;
  const { log } = proveAll(extra.others, note, options);
  const older = openNote(`${parts[0]}\n\n${parts[1]}\n`, log, "the older checkpoint");
  const newer = openNote(note, log, "the newer checkpoint");
  need(older.size === old && newer.size === size, "the proof names other sizes than its notes");
  const hashes = lines.map((hash) => base64(hash, "a hash", 32));
  const good = isPrefix(old, size, hashes, older.root, newer.root);
  need(good, `the log of ${size} events is not shown to begin with that of ${old}`);
  return { log, good: `the log ${log.origin} of ${size} events begins with that of ${old}` };
}

/** The events of one assignment, in order, and what the miner's statements say of the request. */
function checkScore(shown, request, log) {
  const found = {};
  for (const { index, event } of shown) {
    const { key, event: told } = json(event, `event ${index + 1}`);
    found[told.type] = { seq: index + 1, key, ...told };
  }
  const { TaskSampled: task, TaskAssigned: asked, TaskAccepted: taken } = found;
  const outcome = found.AnswerReceived ?? found.AnswerAbandoned;
  const score = found.AnswerScored ?? found.AnswerNotScored;
  need(task && asked && outcome && score, "the proof lacks an event between question and score");
  const place = `${asked.round}.${asked.task}`;
  const { log_id } = log.event;
  const { round, hotkey, n, context, question, deadline_ms } = asked;
  const steps = { task, assign: asked, accept: taken, answer: outcome, score };
  let before = 1;
  for (const [stage, event] of Object.entries(steps)) {
    const slot = stage === "task" ? `task.${place}` : `${stage}.${place}.${hotkey}`;
    need(!event || event.key === slot, `event ${event?.seq} is not of the slot ${slot}`);
    need(!event || event.seq > before, `event ${event?.seq} comes too early`);
    before = event?.seq ?? before;
  }
  need(score.seq === shown[0].index + 1, "the proof is not of the score");
  const { family, bucket, metric, answer_bytes } = task;
  const rebuilt = JSON.stringify({ log_id, round, task: asked.task, hotkey, n, family, bucket,
    metric, context, question, answer_bytes, deadline_ms });
  need(request === rebuilt, "the request is not the one that follows from the events");
  const digest = sha256(request).toString("hex");
  const right = { log_id, round, task: asked.task, hotkey, n, request: digest };
  for (const said of [taken?.acceptance, outcome.receipt, outcome.refusal]) {
    const same = !said || Object.keys(right).every((name) => said[name] === right[name]);
    need(same, "the miner's statement is for another request");
  }
  if (outcome.receipt) {
    const answer = outcome.blob?.sha256 ?? sha256(outcome.text).toString("hex");
    need(outcome.receipt.answer === answer, "the miner's receipt is for another answer");
  }
  const value = score.reward === undefined ? "left out" : `reward ${score.reward}`;
  return `${value} of ${hotkey} for task ${place}`;
}

function checkPath(path, options) {
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (!found) throw new Unknown(`${path} does not exist`);
    return found.isDirectory() ? checkArchive(path, options) : checkProof(path, options);
  } catch (error) {
    if (error instanceof Wrong) return { problems: [error.message] };
    if (error instanceof Unknown) throw error;
    return { problems: [`it is not of the form it should be: ${error.message}`] };
  }
}

/** One line, whatever a stranger wrote into it. */
const say = (line) => console.log(line.replace(/[^\x20-\x7e]/g, "?"));

function report(path, { log, good, problems = [] }, options) {
  for (const problem of problems) say(`PROBLEM  ${path}: ${problem}`);
  if (problems.length > 0) return 1;
  say(`GOOD  ${path}: ${good}`);
  for (const { hex } of log.keys.slice(options["log-key"]?.length ?? 0)) {
    const who = log.event.hotkey;
    say(`  not checked: that ${who} signed log key ${hex}; name the key by --log-key`);
  }
  say("  not checked: what hotkeys signed (sr25519), and that scores follow from answers");
  return 0;
}

function main() {
  const names = { "log-key": { type: "string", multiple: true }, hotkey: { type: "string" } };
  const { values, positionals } = parseArgs({ options: names, allowPositionals: true });
  if (positionals.length === 0) throw new Unknown(USAGE);
  return Math.max(...positionals.map((path) => report(path, checkPath(path, values), values)));
}

try {
  process.exitCode = main();
} catch (error) {
  console.error(`verify.mjs: ${error.message}`);
  process.exitCode = 2;
}
