// "Rules", "What passing takes", "Epoch certificates": what proves that the members of an epoch made the next one.
import { hex, order, orderText, same } from './bytes.mjs'
import { changed, wasDecided } from './changes.mjs'
import { governanceOf, isEquivocation, leaseBound, makeEpoch, SKEW_AHEAD_MS_MAX } from './counting.mjs'
import { read } from './dialect.mjs'
import { evaluate, quorum } from './formulas.mjs'
import { obey, refuse } from './refusal.mjs'
import { checkSeal, openEntry, openKeySet } from './seals.mjs'
import { checkStatement, consentHolds, hashOfEpoch, KIND, openStatement, openValue } from './statements.mjs'
import { bytes, fromMap, list, row } from './tables.mjs'

const EPOCH_CERTIFICATE_BYTES_MAX = 196608
const DAY_MS = 86400000n
const GROUPS_MAX = 256
const PAST_MAX = 64
const FORMULAS = { guard: 2, isolate: 3, halt: 4 }
const need = (holds, code, why) => { if (!holds) refuse(code, why) }

const Proof = { 1: ['first', bytes(1, 16384)], 2: ['second', bytes(1, 16384)] }
const EpochCertificate = {
  1: ['value', bytes(1, 15360)], 2: ['proposals', list(bytes(1, 15360), 0, 64)], 3: ['ballots', list(bytes(1, 15360), 0, 4096)],
  4: ['proofs', list(row(Proof), 0, 85)], 5: ['commits', list(bytes(1, 16384), 1, 256)], 6: ['keysets', list(bytes(1, 16384), 1, 512)]
}

const asPast = epoch => ({ hash: epoch.hash, number: epoch.number, q: epoch.Q, activates_ms: epoch.activates_ms, made_of: epoch.made_of })

const parentOf = (epoch, proposal) =>
  [asPast(epoch), ...epoch.past].find(one => same(one.hash, proposal.parent)) ?? refuse('wrong-epoch', 'a parent that is not known')

/** The consent of the key that the seat has makes a Rekey its own affair. */
function isOwnAffair (epoch, { kind, change, consents }) {
  const key = kind === KIND.REKEY ? epoch.byName.get(change.member)?.governance_key : undefined
  return key !== undefined && consents.some(one => same(one.key, key))
}

function checkConsents (epoch, proposal) {
  const { kind, change } = proposal
  const wanted = kind === KIND.ADMIT || kind === KIND.REKEY ? [hex(change.key)] : []
  const old = kind === KIND.REKEY ? epoch.byName.get(change.member) : undefined
  const allowed = old === undefined ? wanted : [...wanted, hex(old.governance_key)]
  const given = proposal.consents.map(one => hex(one.key))
  const named = new Set(given).size === given.length && wanted.every(one => given.includes(one)) && given.every(one => allowed.includes(one))
  obey(named && proposal.consents.every(one => consentHolds(epoch.network, proposal, one)), 'consents-of-new-keys')
}

/** Groups whose yes it needs; none for an own affair. */
const votesNeeded = (epoch, proposal) => isOwnAffair(epoch, proposal) ? 0 : Math.max(parentOf(epoch, proposal).q, epoch.Q)

/** The first four rules: may it be voted on at all? */
function checkVotable (epoch, proposal) {
  const { opened_ms: opened, closes_ms: closes, kind, change } = proposal
  const within = parentOf(epoch, proposal).activates_ms <= opened && opened < closes && closes <= opened + 30n * DAY_MS
  obey(within, 'closes-within-30-days')
  checkConsents(epoch, proposal)
  const seat = kind === KIND.REKEY ? epoch.byName.get(change.member) : undefined
  if (seat === undefined) return
  if (isOwnAffair(epoch, proposal)) {
    obey(seat.keyed_ms === 0n || opened >= seat.keyed_ms + epoch.durations_ms[0], 'key-rests-between-moves')
  } else {
    const others = new Set(epoch.members.filter(one => one.name !== seat.name).map(one => one.group))
    obey(others.size >= votesNeeded(epoch, proposal), 'others-can-reach-a-quorum')
  }
}

/** A formula is lower where it gives less for any number of groups. */
function isLower (formula, than) {
  for (let n = 1; n <= GROUPS_MAX; n++) if (evaluate(formula, quorum(n)) < evaluate(than, quorum(n))) return true
  return false
}

function loosens (epoch, { kind, change }) {
  if (kind === KIND.REMOVE) return epoch.byName.get(change.member)?.suspended === false
  if (kind === KIND.REGROUP) return true
  if (kind === KIND.SOURCES) {
    const replaced = one => { const held = epoch.source.get(one.id); return held !== undefined && (held.operator !== one.operator || held.scope !== one.scope) }
    return change.gone.length > 0 || change.rows.some(replaced)
  }
  if (kind !== KIND.PARAMETERS) return false
  const shrinks = ['change_delay_ms', 'loosen_delay_ms'].some((word, at) => change[word] !== undefined && change[word] < epoch.durations_ms[at])
  return shrinks || Object.entries(FORMULAS).some(([word, level]) =>
    (change[`lease_${word}_ms`] ?? 0n) > leaseBound(epoch, level) || (change[word] !== undefined && isLower(change[word], epoch.formulas[level])))
}

function delayOf (epoch, proposal) {
  if (isOwnAffair(epoch, proposal)) return 0n
  const [change, loosen] = epoch.durations_ms
  return (proposal.kind === KIND.REKEY || loosens(epoch, proposal)) && loosen > change ? loosen : change
}

const endOf = (epoch, proposal) => proposal.closes_ms + delayOf(epoch, proposal) + 14n * DAY_MS

/** A proposal by itself, at `now`: refused as impossible, or of no epoch, author or time that is known here. */
export function judge (epoch, proposal, now) {
  need(epoch.byName.has(proposal.author), 'unknown-author', proposal.author)
  parentOf(epoch, proposal)
  checkVotable(epoch, proposal)
  changed(epoch, [proposal], [], proposal.opened_ms + 1n)
  need(proposal.opened_ms <= now + SKEW_AHEAD_MS_MAX, 'from-the-future')
  need(now <= endOf(epoch, proposal), 'wrong-epoch', 'it ended before')
}

/** A seat's ballot counts if it sat in its group in the parent, and does now; of a lost key the seat's own never does. */
function mayVote (epoch, proposal, member) {
  const seat = epoch.byName.get(member)
  if (seat === undefined || seat.since > parentOf(epoch, proposal).number) return false
  return proposal.kind !== KIND.REKEY || proposal.change.member !== member
}

function openProposals (epoch, certificate, value) {
  const opened = certificate.proposals.map(raw => openStatement('proposal', raw, epoch.network)).sort((a, b) => order(a.hash, b.hash))
  const named = opened.length === value.proposals.length && opened.every((one, at) => same(one.hash, value.proposals[at]))
  need(named, 'mixed-certificate', 'the proposals are not those that the value names')
  for (const { hash, said } of opened) {
    obey(!wasDecided(epoch, hash), 'decided-once')
    checkVotable(epoch, said)
    const inTime = said.opened_ms + delayOf(epoch, said) <= value.activates_ms && value.activates_ms <= endOf(epoch, said)
    obey(inTime, 'ordered-in-its-time')
  }
  return opened
}

function countBallots (epoch, certificate, proposals) {
  const voted = new Map(proposals.map(one => [hex(one.hash), { proposal: one.said, by: new Set() }]))
  for (const raw of certificate.ballots) {
    const ballot = openStatement('ballot', raw, epoch.network)
    const { proposal: hash, member, vote, cast_ms: cast } = ballot.said
    const { proposal, by } = voted.get(hex(hash)) ?? refuse('mixed-certificate', 'a ballot on another proposal')
    need(mayVote(epoch, proposal, member), 'unknown-author', member)
    checkStatement(ballot, epoch.byName.get(member).governance_key)
    need(vote === 1 && cast <= proposal.closes_ms, 'mixed-certificate', 'a ballot that is no yes, or too late')
    need(!by.has(member), 'duplicate-signer', member)
    by.add(member)
  }
  for (const { proposal, by } of voted.values()) {
    const groups = new Set([...by].map(one => epoch.byName.get(one).group))
    need(groups.size >= votesNeeded(epoch, proposal), 'short-of-threshold', `${groups.size} groups voted yes`)
  }
}

/** (raw) -> the entry, opened under one of the KeySets that the certificate carries. */
function opener (epoch, certificate) {
  const ring = new Map()
  for (const raw of certificate.keysets) {
    const keyset = openKeySet(raw, epoch.network, governanceOf(epoch))
    const key = `${keyset.member}/${keyset.version}`
    need(!ring.has(key), 'duplicate-signer', key)
    ring.set(key, keyset)
  }
  return raw => {
    const entry = openEntry(raw, epoch.network)
    const keyset = ring.get(`${entry.author}/${entry.key_version}`) ?? refuse('unknown-key', entry.author)
    need(entry.issued_ms <= keyset.expires_ms, 'bad-key', 'issued after its KeySet expired')
    checkSeal(entry, keyset.attestation)
    return entry
  }
}

function checkProofs (certificate, value, open) {
  need(certificate.proofs.length === value.proofs.length, 'mixed-certificate', 'as many proofs as suspects')
  for (const [at, { member, key_version: version }] of value.proofs.entries()) {
    const pair = [certificate.proofs[at].first, certificate.proofs[at].second].map(open)
    const theirs = pair.every(one => one.author === member && one.key_version === version)
    need(theirs && isEquivocation(...pair), 'mixed-certificate', `no proof against ${member}`)
  }
}

/** The groups that committed: each by its first member's name, all in one round. */
function checkCommits (epoch, certificate, value, open) {
  const commits = certificate.commits.map(raw => {
    const entry = open(raw)
    const ours = entry.kind === 10 && !(entry.body instanceof Map) && same(entry.body.epoch, epoch.hash) && same(entry.body.value_hash, value.hash)
    need(ours, 'mixed-certificate', 'an entry that commits to no such value')
    return entry
  })
  need(new Set(commits.map(one => one.body.round)).size === 1, 'mixed-certificate', 'several rounds')
  need(new Set(commits.map(one => one.author)).size === commits.length, 'duplicate-signer')
  const first = group => epoch.members.filter(one => one.group === group).map(one => one.name).sort(orderText)[0]
  const groups = commits.map(({ author }) => {
    const { group } = epoch.byName.get(author)
    need(first(group) === author, 'mixed-certificate', `${author} is not the voice of ${group}`)
    return group
  })
  need(groups.length >= epoch.Q, 'short-of-threshold', `${groups.length} groups committed`)
  return groups.sort(orderText)
}

/** Shape alone. */
export const parseEpochCertificate = raw => fromMap(EpochCertificate, read(raw, EPOCH_CERTIFICATE_BYTES_MAX))

/** Checked offline against its parent alone; refuses, or says {value, committed, epoch: the next one}. */
export function openEpochCertificate (raw, epoch) {
  const certificate = parseEpochCertificate(raw)
  const value = openValue(certificate.value)
  need(same(value.parent, epoch.hash) && value.number === epoch.number + 1n, 'wrong-epoch')
  obey(value.activates_ms > epoch.activates_ms, 'ordered-in-its-time')
  const proposals = openProposals(epoch, certificate, value)
  const made = changed(epoch, proposals.map(one => one.said), value.proofs, value.activates_ms)
  countBallots(epoch, certificate, proposals)
  const open = opener(epoch, certificate)
  checkProofs(certificate, value, open)
  const committed = checkCommits(epoch, certificate, value, open)
  const { network, bridges, oracles } = epoch
  const next = makeEpoch({
    ...made,
    network,
    bridges,
    oracles,
    number: value.number,
    hash: hashOfEpoch(network, value),
    parent: epoch.hash,
    activates_ms: value.activates_ms,
    made_of: value.proposals,
    past: [asPast(epoch), ...epoch.past].slice(0, PAST_MAX)
  })
  return { value, committed, epoch: next }
}
