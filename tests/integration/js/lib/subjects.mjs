// "Subjects": what an alarm is about, as bytes and as text.
import { read, write } from './dialect.mjs'
import { hex, unhex } from './bytes.mjs'
import { refuse } from './refusal.mjs'

export const SUBJECT_BYTES_MAX = 256
const need = (holds, why) => { if (!holds) refuse('bad-shape', why) }
const isText = (value, pattern) => typeof value === 'string' && !value.endsWith('\n') && pattern.test(value)
const isBytes = (value, least, most = least) => value instanceof Uint8Array && value.length >= least && value.length <= most
const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?'
const DOMAIN = new RegExp(`^${LABEL}(\\.${LABEL})+$`)
const LOWER_NAMES = ['bitbucket', 'composer', 'deb', 'github', 'npm', 'oci', 'pypi']

function chain (ns, ref) {
  need(isText(ns, /^[-a-z0-9]{3,8}$/), 'no CAIP-2 namespace')
  need(isText(ref, /^[-_a-zA-Z0-9]{1,32}$/), 'no CAIP-2 reference')
  if (ns === 'eip155') need(/^(0|[1-9][0-9]*)$/.test(ref), 'an eip155 reference is a decimal')
}

function address (ns, value) {
  need(isBytes(value, 1, 64), 'an address of 1 to 64 bytes')
  if (ns === 'eip155') need(value.length === 20, 'an address of 20 bytes')
}

function percent (part, colon) {
  // what must be escaped is escaped, in upper case, and nothing else is
  need(part.length > 0, 'an empty name')
  need((colon ? /^([a-zA-Z0-9._~:-]|%[0-9A-F]{2})*$/ : /^([a-zA-Z0-9._~-]|%[0-9A-F]{2})*$/).test(part), 'a name of a package')
  for (const [, code] of part.matchAll(/%([0-9A-F]{2})/g)) {
    const byte = String.fromCharCode(parseInt(code, 16))
    need(!/[a-zA-Z0-9._~-]/.test(byte) && !(colon && byte === ':'), 'escaped without need')
  }
}

function packageUrl (value) {
  need(isText(value, /^pkg:[^\n]*$/) && [...value].length <= 200, 'a package URL')
  const [type, ...names] = value.slice(4).split('/')
  need(/^[a-z][a-z0-9.+-]*$/.test(type), 'a package type')
  need(names.length > 0, 'a package without a name')
  const last = names.pop()
  const at = last.indexOf('@')
  names.push(at < 0 ? last : last.slice(0, at))
  for (const one of names) percent(one, false)
  if (at >= 0) percent(last.slice(at + 1), true)
  if (LOWER_NAMES.includes(type)) need(!names.some(one => /[A-Z]/.test(one.replace(/%[0-9A-F]{2}/g, ''))), 'capitals')
  if (type === 'pypi') need(!names.some(one => one.includes('_')), 'a pypi name with an underscore')
}

const SHAPES = {
  1: [2, ([ns, ref]) => chain(ns, ref)],
  2: [3, ([ns, ref, at]) => { chain(ns, ref); address(ns, at) }],
  3: [4, ([ns, ref, kind, what]) => {
    chain(ns, ref)
    need(isText(kind, /^[-a-z0-9]{3,8}$/), 'an asset namespace')
    need(isBytes(what, 1, 64), 'a reference of 1 to 64 bytes')
    if (ns === 'eip155' && kind === 'erc20') need(what.length === 20, 'an erc20 of 20 bytes')
    if (kind === 'slip44') need(what.length <= 4 && (what.length === 1 || what[0] !== 0), 'a coin type')
  }],
  4: [3, ([ns, ref, tx]) => { chain(ns, ref); need(isBytes(tx, 32), 'a hash of 32 bytes') }],
  5: [4, ([ns, ref, at, id]) => { chain(ns, ref); address(ns, at); need(isBytes(id, 1, 32), 'a market id') }],
  6: [5, ([ns, ref, at, farNs, farRef]) => { chain(ns, ref); address(ns, at); chain(farNs, farRef) }],
  7: [3, ([ns, ref, at]) => { chain(ns, ref); address(ns, at) }],
  8: [1, ([domain]) => need(isText(domain, DOMAIN) && domain.length <= 200, 'a domain')],
  9: [1, ([url]) => packageUrl(url)],
  10: [1, ([digest]) => need(isBytes(digest, 32), 'a digest of 32 bytes')]
}

/** The parts of a subject's bytes, or a refusal. */
export function checkSubject (raw) {
  const value = read(raw, SUBJECT_BYTES_MAX)
  need(Array.isArray(value) && value.length > 0 && typeof value[0] === 'number', 'no subject')
  const shape = SHAPES[value[0]]
  need(shape !== undefined, `the subject kind ${value[0]}`)
  need(value.length === shape[0] + 1, 'a number of parts')
  shape[1](value.slice(1))
  return value
}

export function subjectText (raw) {
  const [kind, ...p] = checkSubject(raw)
  const at = value => `0x${hex(value)}`
  switch (kind) {
    case 1: return `${p[0]}:${p[1]}`
    case 2: return `${p[0]}:${p[1]}:${at(p[2])}`
    case 3: return `${p[0]}:${p[1]}/${p[2]}:${at(p[3])}`
    case 4: return `tx:${p[0]}:${p[1]}:${at(p[2])}`
    case 5: return `market:${p[0]}:${p[1]}:${at(p[2])}/${at(p[3])}`
    case 6: return `bridge:${p[0]}:${p[1]}:${at(p[2])}>${p[3]}:${p[4]}`
    case 7: return `oracle:${p[0]}:${p[1]}:${at(p[2])}`
    case 8: return `domain:${p[0]}`
    case 9: return p[0]
    default: return `credential:${hex(p[0])}`
  }
}

const TEXTS = [
  [/^tx:([^:]+):([^:]+):0x([0-9a-f]+)$/, m => [4, m[1], m[2], unhex(m[3])]],
  [/^market:([^:]+):([^:]+):0x([0-9a-f]+)\/0x([0-9a-f]+)$/, m => [5, m[1], m[2], unhex(m[3]), unhex(m[4])]],
  [/^bridge:([^:]+):([^:]+):0x([0-9a-f]+)>([^:]+):([^:]+)$/, m => [6, m[1], m[2], unhex(m[3]), m[4], m[5]]],
  [/^oracle:([^:]+):([^:]+):0x([0-9a-f]+)$/, m => [7, m[1], m[2], unhex(m[3])]],
  [/^domain:(.+)$/, m => [8, m[1]]],
  [/^(pkg:.+)$/, m => [9, m[1]]],
  [/^credential:([0-9a-f]+)$/, m => [10, unhex(m[1])]],
  [/^([^:/]+):([^:/]+)\/([^:/]+):0x([0-9a-f]+)$/, m => [3, m[1], m[2], m[3], unhex(m[4])]],
  [/^([^:/]+):([^:/]+):0x([0-9a-f]+)$/, m => [2, m[1], m[2], unhex(m[3])]],
  [/^([^:/]+):([^:/]+)$/, m => [1, m[1], m[2]]]
]

/** The bytes of a subject written as text. */
export function subjectBytes (text) {
  for (const [pattern, parts] of TEXTS) {
    const found = pattern.exec(text)
    if (found !== null) {
      const raw = write(parts(found))
      checkSubject(raw)
      return raw
    }
  }
  return refuse('bad-shape', `no subject: ${text}`)
}
