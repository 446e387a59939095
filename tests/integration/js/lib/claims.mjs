// "Claims": blobs, ids, and the pure judges.
import { order, same, sha256 } from './bytes.mjs'
import { isInt, read, write } from './dialect.mjs'
import { refuse } from './refusal.mjs'
import { bytes, fromMap, list, uint, uint63 } from './tables.mjs'

export const BLOB_BYTES_MAX = 32768
const chain = {
  take: v => {
    const found = typeof v === 'string' ? /^([-a-z0-9]{3,8}):([-_a-zA-Z0-9]{1,32})$/.exec(v) : null
    if (found === null || v.endsWith('\n') || (found[1] === 'eip155' && !/^(0|[1-9][0-9]*)$/.test(found[2]))) refuse('bad-shape', 'no chain')
    return v
  },
  give: v => v
}
const word = {
  take: v => { bytes(32).take(v); return BigInt('0x' + Buffer.from(v).toString('hex')) },
  give: v => new Uint8Array(Buffer.from(v.toString(16).padStart(64, '0'), 'hex'))
}
const address = bytes(20)

export const TYPES = {
  'evm-release-without-burn': [{
    1: ['home', chain], 2: ['escrow', address], 3: ['tx', bytes(32)], 4: ['log_index', uint63], 5: ['far', chain],
    6: ['twin', address], 7: ['nonce', word], 8: ['recipient', address], 9: ['amount', word]
  }, ['home', 'escrow', 'nonce']],
  'evm-supply-above-backing': [{
    1: ['home', chain], 2: ['escrow', address], 3: ['far', chain], 4: ['twin', address], 5: ['home_block', uint63]
  }, ['home', 'escrow', 'home_block']],
  'evm-log': [{
    1: ['chain', chain], 2: ['tx', bytes(32)], 3: ['log_index', uint63], 4: ['address', address],
    5: ['topics', list(bytes(32), 0, 4)], 6: ['data_hash', bytes(32)], 7: ['threat', uint(0, 255)]
  }, ['chain', 'tx', 'log_index']],
  'evm-oracle-deviation': [{ 1: ['chain', chain], 2: ['feed', address], 3: ['block', uint63] }, ['chain', 'feed', 'block']]
}

/** The inputs of a blob that is this claim's, or a refusal. */
export function openBlob (claim, raw) {
  const value = read(raw, BLOB_BYTES_MAX)
  if (!same(sha256(raw), claim.digest)) refuse('bad-claim', 'another digest')
  if (!Array.isArray(value) || value.length !== 2 || value[0] !== claim.type) refuse('bad-claim', 'no blob of this type')
  const known = TYPES[claim.type]
  if (known === undefined) refuse('unknown-claim-type', claim.type)
  const [table, parts] = known
  const inputs = fromMap(table, value[1])
  const at = part => Number(Object.keys(table).find(key => table[key][0] === part))
  const id = sha256(write(['tocsin/1/claim', claim.type, ...parts.map(part => value[1].get(at(part)))]))
  if (!same(id, claim.id)) refuse('bad-claim', 'another id')
  return inputs
}

const REFUTED = { ruling: 'refuted' }
const UNDECIDED = { ruling: 'undecided' }
const supports = (subject, threat, level) => ({ ruling: 'supports', subject, threat, level })
const share = (part, whole) => part * 10000n / (whole > 1n ? whole : 1n)
const grade = (bps, isolate, guard) => bps >= isolate ? 3 : bps >= guard ? 2 : 1

function releaseWithoutBurn (inputs, read, bridge) {
  if (bridge === null || read.log === null) return REFUTED
  const [escrow, nonce, recipient, amount] = read.log
  if (!same(escrow, inputs.escrow) || nonce !== inputs.nonce || !same(recipient, inputs.recipient) || amount !== inputs.amount) return REFUTED
  if (read.burned === inputs.amount && same(read.burned_to, inputs.recipient)) return REFUTED
  if (read.far_head_s < read.released_at_s) return UNDECIDED
  return supports(bridge.asset, 34, grade(share(inputs.amount, read.escrow_before), 100n, 1n))
}

function shortfall (supply, backing) {
  return supply > backing ? share(supply - backing, supply) : 0n
}

function supplyAboveBacking (inputs, read, bridge) {
  if (bridge === null) return REFUTED
  if (read.far_head_s < read.home_block_s) return UNDECIDED
  if (read.supply <= read.backing) return REFUTED
  const now = grade(shortfall(read.supply, read.backing), 100n, 10n)
  const before = read.supply_before > read.backing_before ? grade(shortfall(read.supply_before, read.backing_before), 100n, 10n) : 0
  if (before >= now && now > 1) return REFUTED
  return supports(bridge.asset, 35, now)
}

function log (inputs, read) {
  if (read.log === null) return REFUTED
  const [at, topics, dataHash] = read.log
  const equal = same(at, inputs.address) && same(dataHash, inputs.data_hash) &&
    topics.length === inputs.topics.length && topics.every((one, i) => order(one, inputs.topics[i]) === 0)
  const [ns, ref] = inputs.chain.split(':')
  return equal ? supports(write([2, ns, ref, inputs.address]), inputs.threat, 1) : REFUTED
}

function deviation (price, references) {
  const above = references.filter(one => one > 0n).sort((a, b) => (a < b ? -1 : a > b ? 1 : 0))
  if (above.length === 0) return 0n
  const m = above[Math.floor((above.length - 1) / 2)]
  return share(price > m ? price - m : m - price, m)
}

function oracleDeviation (inputs, read, oracle) {
  if (oracle === null) return REFUTED
  const of = bps => bps >= 2000n ? 3 : bps >= 500n ? 2 : 0
  const now = of(deviation(read.price, read.references))
  if (now === 0) return REFUTED
  if (of(deviation(read.price_before, read.references_before)) >= now) return REFUTED
  return supports(oracle.subject, 36, now)
}

/** What a judge of `type` says of what was read; `registered` is the bridge or the oracle of the register, or null. */
export const JUDGES = {
  'evm-release-without-burn': releaseWithoutBurn,
  'evm-supply-above-backing': supplyAboveBacking,
  'evm-log': log,
  'evm-oracle-deviation': oracleDeviation
}

/** The row of the register that a claim speaks of, or null. */
export function registered (type, inputs, epoch) {
  if (type === 'evm-oracle-deviation') {
    return epoch.oracles.find(one => one.chain === inputs.chain && same(one.feed, inputs.feed)) ?? null
  }
  if (type === 'evm-log') return null
  return epoch.bridges.find(one => one.home === inputs.home && same(one.escrow, inputs.escrow) &&
    one.far === inputs.far && same(one.twin, inputs.twin)) ?? null
}
