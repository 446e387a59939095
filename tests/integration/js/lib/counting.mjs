// "The alarm", "Certificates", "Release points": who counts, and what it proves. Times are BigInt milliseconds.
import { hex, order, orderText, same, sha256 } from './bytes.mjs'
import { read, write } from './dialect.mjs'
import { quorum, thresholds } from './formulas.mjs'
import { refuse } from './refusal.mjs'
import { checkSeal, openEntry, openKeySet } from './seals.mjs'
import { Certificate, VOTES, fromMap, toMap } from './tables.mjs'

export const CERTIFICATE_BYTES_MAX = 196608
export const SKEW_AHEAD_MS_MAX = 60000n
const EPOCH_OVERLAP_MS = 600000n
const LEASE_MS_MAX = { 0: 43200000n, 1: 43200000n, 2: 43200000n, 3: 21600000n, 4: 3600000n }
const THREATS = new Set([1, 2, 3, 4, 5, 32, 33, 34, 35, 36, 37, 38, 39, 40, 41, 42])
const HEARSAY = 1
const OBSERVED = 2

/** {network, hash, members, formulas, lease_ms, sources, ...} as the golden files write an epoch. Counting needs no more;
 *  what follows from it also asks for number, durations_ms, made_of, past, left and what a seat has. */
export function makeEpoch (epoch) {
  const groups = [...new Set(epoch.members.map(one => one.group))]
  return {
    bridges: [],
    oracles: [],
    parent: null,
    activates_ms: 0n,
    made_of: [],
    past: [],
    left: [],
    ...epoch,
    ...quorum(groups.length),
    groups,
    needed: thresholds(groups.length, epoch.formulas),
    byName: new Map(epoch.members.map(one => [one.name, one])),
    source: new Map(epoch.sources.map(one => [one.id, one]))
  }
}

export const governanceOf = epoch => name => epoch.byName.get(name)?.governance_key ?? null

export function leaseBound (epoch, level) {
  const own = epoch.lease_ms[level]
  return own !== undefined && BigInt(own) < LEASE_MS_MAX[level] ? BigInt(own) : LEASE_MS_MAX[level]
}

export function effectiveLevel (opinion) {
  if (!THREATS.has(opinion.body.threat)) return 0
  return opinion.body.basis === HEARSAY ? Math.min(1, opinion.body.level) : opinion.body.level
}

/** Bounds that need no clock: since and lease. */
export const inBounds = (epoch, entry) => entry.body.since_ms <= entry.issued_ms &&
  entry.body.expires_ms - entry.issued_ms <= leaseBound(epoch, entry.body.level)

/** Is an opinion of this epoch, or of its parent and said before that is over? */
const isOf = (epoch, entry) => same(entry.body.epoch, epoch.hash) ||
  (epoch.parent !== null && same(entry.body.epoch, epoch.parent) && entry.issued_ms < epoch.activates_ms + EPOCH_OVERLAP_MS)

function isLive (epoch, entry, now) {
  const member = epoch.byName.get(entry.author)
  return isOf(epoch, entry) && member !== undefined && !member.suspended &&
    entry.body.expires_ms > now && entry.issued_ms <= now + SKEW_AHEAD_MS_MAX && inBounds(epoch, entry)
}

const operatorsOf = (epoch, entry) =>
  [...new Set(entry.body.sources.map(id => epoch.source.get(id)?.operator).filter(one => one !== undefined))]

/** The single registered operator through which a group only observes ('' for nobody), or null. */
function soleOperator (epoch, opinions) {
  if (!opinions.every(one => one.body.basis === OBSERVED)) return null
  const operators = new Set()
  for (const one of opinions) {
    const found = operatorsOf(epoch, one)
    if (found.length === 0) found.push('')
    for (const operator of found) operators.add(operator)
  }
  return operators.size === 1 ? [...operators][0] : null
}

function sourceRule (epoch, byGroup) {
  const seen = []
  for (const opinions of byGroup.values()) {
    const scopes = new Map()
    for (const one of opinions) {
      for (const id of one.body.sources) {
        const source = epoch.source.get(id)
        if (source === undefined) continue
        if (!scopes.has(source.scope)) scopes.set(source.scope, new Set())
        scopes.get(source.scope).add(source.operator)
      }
    }
    if (scopes.size > 0) seen.push([...scopes.values()])
  }
  const operators = new Set(seen.flat().flatMap(one => [...one]))
  if (operators.size === 0) return false
  return [...operators].every(o =>
    seen.filter(scopes => scopes.every(those => [...those].some(one => one !== o))).length >= epoch.f + 1)
}

function grouped (epoch, opinions) {
  const byGroup = new Map()
  for (const one of [...opinions].sort((a, b) => orderText(a.author, b.author))) {
    const { group } = epoch.byName.get(one.author)
    byGroup.set(group, [...(byGroup.get(group) ?? []), one])
  }
  return byGroup
}

/** Opinions by the groups that count on this level: on GUARD an operator's mere observers count once. */
function counted (epoch, level, opinions) {
  const byGroup = grouped(epoch, opinions)
  if (level > 2) return byGroup
  const operators = new Set()
  for (const [group, those] of byGroup) {
    const sole = soleOperator(epoch, those)
    if (sole !== null && operators.has(sole)) byGroup.delete(group)
    if (sole !== null) operators.add(sole)
  }
  return byGroup
}

/** null where opinions, all of effective level >= L, reach L's row; else the code of what they lack. */
export function lacks (epoch, level, opinions) {
  if (grouped(epoch, opinions).size < epoch.needed[level]) return 'short-of-threshold'
  const byGroup = counted(epoch, level, opinions)
  if (level > 2) return sourceRule(epoch, byGroup) ? null : 'source-rule'
  return byGroup.size < epoch.needed[level] ? 'source-rule' : null
}

const claimKey = claim => `${claim.type}:${hex(claim.id)}`
const topicOf = body => `${hex(body.subject)}:${body.threat}`

/** What releases say of one topic: {point, covered(opinion)}. `reached`: the point of an earlier epoch; it never falls. */
function releases (epoch, entries, topic, reached) {
  const furthest = new Map()
  const released = new Map()
  for (const one of entries) {
    if (one.kind !== 2 || topicOf(one.body) !== topic || !epoch.byName.has(one.author)) continue
    if ((furthest.get(one.author) ?? 0n) < one.body.through_ms) furthest.set(one.author, one.body.through_ms)
    for (const claim of one.body.claims) {
      const key = claimKey(claim)
      released.set(key, (released.get(key) ?? new Set()).add(one.author))
    }
  }
  const seats = group => epoch.members.filter(one => one.group === group && !one.suspended)
  const least = epoch.groups.map(group => seats(group).map(one => furthest.get(one.name) ?? 0n).reduce((a, b) => (a === null || b < a ? b : a), null) ?? 0n)
  const here = least.sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))[epoch.Q - 1]
  const point = here > reached ? here : reached
  const byGroups = key => epoch.groups.filter(group => {
    const those = seats(group)
    return those.length > 0 && those.every(one => released.get(key)?.has(one.name))
  }).length
  const covered = opinion => (point > 0n && opinion.body.since_ms <= point) ||
    (opinion.body.claims.length > 0 && opinion.body.claims.every(claim => byGroups(claimKey(claim)) >= epoch.Q))
  return { point, covered }
}

/** By what its author said, not by when it came. */
export const isLater = (a, b) => a.key_version !== b.key_version ? a.key_version > b.key_version : a.seq > b.seq

/** The network's level on a topic at `now` from opened entries, whatever their order: {level, opinions, point}. */
export function alarm (epoch, entries, subject, threat, now, reached = 0n) {
  const topic = topicOf({ subject, threat })
  const latest = new Map()
  for (const one of entries) {
    if (one.kind !== 1 || topicOf(one.body) !== topic) continue
    const held = latest.get(one.author)
    if (held === undefined || isLater(one, held)) latest.set(one.author, one)
  }
  const { point, covered } = releases(epoch, entries, topic, reached)
  const live = [...latest.values()].filter(one => isLive(epoch, one, now) && effectiveLevel(one) > 0 && !covered(one))
  for (const level of [4, 3, 2]) {
    const opinions = live.filter(one => effectiveLevel(one) >= level)
    if (lacks(epoch, level, opinions) === null) return { level, opinions: [...counted(epoch, level, opinions).values()].flat(), point }
  }
  return { level: live.length > 0 ? 1 : 0, opinions: live, point }
}

/** Of KeySets of one member and version the lower hash. */
export function keyring (keysets) {
  const ring = new Map()
  for (const one of keysets) {
    const key = `${one.member}/${one.version}`
    const held = ring.get(key)
    if (held === undefined || order(one.hash, held.hash) < 0) ring.set(key, one)
  }
  return ring
}

/** What names all certificates of one (epoch, subject, threat, level). */
export const certificateId = ({ epoch, subject, threat, level }) => sha256(write([epoch, subject, threat, level]))
export const parseCertificate = raw => fromMap(Certificate, read(raw, CERTIFICATE_BYTES_MAX))

/** A certificate checked offline against one epoch and the KeySets at hand; refuses, or says what it proves. */
export function openCertificate (raw, epoch, known = []) {
  const certificate = parseCertificate(raw)
  if (!same(certificate.epoch, epoch.hash)) refuse('wrong-epoch')
  const carried = certificate.keysets.filter(one => one.length > 32).map(one => openKeySet(one, epoch.network, governanceOf(epoch)))
  const ring = keyring([...known, ...carried])
  const opinions = certificate.entries.map(one => checkOpinion(one, certificate, epoch, ring))
  if (new Set(opinions.map(one => one.author)).size < opinions.length) refuse('duplicate-signer')
  const lack = lacks(epoch, certificate.level, opinions)
  if (lack !== null) refuse(lack)
  const { subject, threat, level } = certificate
  const groups = counted(epoch, level, opinions)
  const ends = [...groups.values()]
    .map(those => those.map(one => one.body.expires_ms).reduce((a, b) => (b > a ? b : a)))
    .sort((a, b) => (a < b ? 1 : a > b ? -1 : 0))
  return {
    ...certificate,
    raw,
    opinions,
    groups: [...groups.keys()].sort(orderText),
    id: certificateId(certificate),
    digest: sha256(write([epoch.hash, subject, threat, level, opinions.map(one => one.hash).sort(order)])),
    ends_ms: ends[epoch.needed[level] - 1],
    newest_issued_ms: opinions.map(one => one.issued_ms).reduce((a, b) => (b > a ? b : a)),
    tlp: Math.max(...opinions.map(one => one.body.tlp))
  }
}

function checkOpinion (raw, certificate, epoch, ring) {
  const entry = openEntry(raw, epoch.network)
  if (entry.kind !== 1) refuse('mixed-certificate', 'an entry that is no attestation')
  const keyset = ring.get(`${entry.author}/${entry.key_version}`)
  if (keyset === undefined || !epoch.byName.has(entry.author)) refuse('unknown-key', entry.author)
  if (entry.issued_ms > keyset.expires_ms) refuse('bad-key', 'issued after its KeySet expired')
  checkSeal(entry, keyset.attestation)
  const { body } = entry
  if (!isOf(epoch, entry) || !same(body.subject, certificate.subject) || body.threat !== certificate.threat) {
    refuse('mixed-certificate')
  }
  if (effectiveLevel(entry) < certificate.level) refuse('short-of-threshold')
  if (!inBounds(epoch, entry)) refuse('lease-too-long')
  if (epoch.byName.get(entry.author).suspended) refuse('bad-body', 'a suspended seat')
  return entry
}

/** The bytes of a certificate of these opinions and KeySets. */
export function assemble (epoch, subject, threat, level, opinions, keysets) {
  const sorted = [...opinions].sort((a, b) => orderText(a.author, b.author))
  const fields = { epoch: epoch.hash, subject, threat, level, entries: sorted.map(one => one.raw), keysets: keysets.map(one => one.raw) }
  return write(toMap(Certificate, fields))
}

/** Do two opened entries prove that their author spoke twice ("Feeds, gaps, forks")? */
export function isEquivocation (a, b) {
  if (a.author !== b.author || a.key_version !== b.key_version) return false
  const [first, second] = a.seq <= b.seq ? [a, b] : [b, a]
  if (first.seq === second.seq && !same(first.hash, second.hash)) return true
  if (votedTwice(a, b)) return true
  return second.seq === first.seq + 1n && !same(second.prev, first.hash)
}

/** Two votes of one kind in one round of an epoch, for different values; nothing is a value too. */
function votedTwice (a, b) {
  const votes = VOTES.includes(a.kind) && a.kind === b.kind && !(a.body instanceof Map) && !(b.body instanceof Map)
  if (!votes || !same(a.body.epoch, b.body.epoch) || a.body.round !== b.body.round) return false
  return !same(a.body.value ?? a.body.value_hash, b.body.value ?? b.body.value_hash)
}
