// governance/README.md: the charter's file, the network id, epoch 0, the founders.
import { parse } from 'smol-toml'
import { orderRow, sha256, unhex } from './bytes.mjs'
import { write } from './dialect.mjs'
import { makeEpoch } from './counting.mjs'
import { checkThresholds } from './formulas.mjs'
import { checkKey, holds, seal, signedBytes } from './seals.mjs'
import { subjectBytes } from './subjects.mjs'

const CHARTER_TAG = 'tocsin/1/charter'
const UNITS_MS = { d: 86400000, h: 3600000, m: 60000, s: 1000, ms: 1 }

export function durationMs (text) {
  if (!/^([0-9]+(ms|d|h|m|s))+$/.test(text)) throw new Error(`no duration: ${text}`)
  return [...text.matchAll(/([0-9]+)(ms|d|h|m|s)/g)].reduce((sum, [, count, unit]) => sum + Number(count) * UNITS_MS[unit], 0)
}

const sorted = rows => [...rows].sort(orderRow)

/** The map that the network id is the hash of, from a parsed charter's values. */
export function identity (charter) {
  return new Map([
    [1, 1],
    [2, charter.name],
    [3, charter.created_ms],
    [4, sorted(charter.members.map(one => [one.name, one.group, one.governance_key]))],
    [5, new Map([2, 3, 4].map(level => [level, charter.formulas[level]]))],
    [6, new Map([2, 3, 4].map(level => [level, charter.lease_ms[level]]))],
    [7, new Map([[1, charter.change_delay_ms], [2, charter.loosen_delay_ms]])],
    [8, new Map([[1, charter.seat_term_ms], [2, charter.silence_ms]])],
    [9, sorted(charter.sources.map(one => [one.id, one.operator, one.scope]))],
    [10, sorted(charter.bridges.map(one => [one.asset, one.home, one.escrow, one.far, one.twin]))],
    [11, sorted(charter.oracles.map(one => [one.subject, one.chain, one.feed, sorted(one.references)]))]
  ])
}

export const epochHash = network => sha256(write(['tocsin/1/epoch', network, 0]))
export const founderSignature = (seed, network) => seal(seed, CHARTER_TAG, network, network).signature
export const founderSigned = (key, network, signature) => holds(key, signedBytes(CHARTER_TAG, network, network), signature)

/** charter.toml to {network, epoch, contacts, founders, keysets}; throws where its founders have not signed it. */
export function readCharter (text, { signed = true } = {}) {
  const file = parse(text)
  const charter = {
    name: file.network,
    created_ms: file.created_ms,
    formulas: { 2: file.thresholds.guard, 3: file.thresholds.isolate, 4: file.thresholds.halt },
    lease_ms: { 2: durationMs(file.lease.guard), 3: durationMs(file.lease.isolate), 4: durationMs(file.lease.halt) },
    change_delay_ms: durationMs(file.delay.change),
    loosen_delay_ms: durationMs(file.delay.loosen),
    seat_term_ms: durationMs(file.seat.term),
    silence_ms: durationMs(file.seat.silence),
    members: file.member.map(one => ({ name: one.name, group: one.group ?? one.name, governance_key: unhex(one.governance) })),
    sources: (file.source ?? []).map(({ id, operator, scope }) => ({ id, operator, scope })),
    bridges: (file.bridge ?? []).map(one => ({ asset: subjectBytes(one.asset), home: one.home, escrow: unhex(one.escrow), far: one.far, twin: unhex(one.twin) })),
    oracles: (file.oracle ?? []).map(one => ({ subject: subjectBytes(one.subject), chain: one.chain, feed: unhex(one.feed), references: one.references.map(unhex) }))
  }
  const network = sha256(write(identity(charter)))
  for (const one of charter.members) checkKey(one.governance_key)
  const founders = new Map((file.founder ?? []).map(one => [one.member, unhex(one.signature)]))
  for (const one of signed ? charter.members : []) {
    const signature = founders.get(one.name)
    if (signature === undefined || !founderSigned(one.governance_key, network, signature)) throw new Error(`${one.name} has not signed this charter`)
  }
  const created = BigInt(file.created_ms)
  const epoch = makeEpoch({
    ...charter,
    network,
    hash: epochHash(network),
    number: 0n,
    activates_ms: created,
    members: charter.members.map(one => ({ ...one, suspended: false, since: 0n, seated_ms: created, keyed_ms: 0n, proven: -1 })),
    durations_ms: [charter.change_delay_ms, charter.loosen_delay_ms, charter.seat_term_ms, charter.silence_ms].map(BigInt)
  })
  checkThresholds(epoch.n, epoch.needed)
  return { network, epoch, contacts: file.contact ?? [], founders, keysets: (file.keyset ?? []).map(one => unhex(one.sealed)) }
}
