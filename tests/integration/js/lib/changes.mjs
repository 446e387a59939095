// "What a change does": the next epoch of a parent. Each refusal names the rule of "Rules" that is broken.
import { hex, orderText, same } from './bytes.mjs'
import { leaseBound } from './counting.mjs'
import { checkThresholds, thresholds } from './formulas.mjs'
import { codeOf, obey } from './refusal.mjs'
import { checkKey } from './seals.mjs'

const DAY_MS = 86400000n
const LEASES = { guard: 2, isolate: 3, halt: 4 }
const LEASE_MS_MAX = { 2: 43200000n, 3: 21600000n, 4: 3600000n }
const DURATIONS = ['change_delay_ms', 'loosen_delay_ms', 'seat_term_ms', 'silence_ms']
const DURATION_BOUNDS_MS = [[0n, 30n * DAY_MS], [0n, 30n * DAY_MS], [1n, 3660n * DAY_MS], [1n, 3660n * DAY_MS]]
const MEMBERS_MAX = 256
const SOURCES_MAX = 1024
const LEFT_MAX = 1024

const differs = (one, other) => one.operator !== other.operator || one.scope !== other.scope

class Draft {
  constructor (epoch, number, at) {
    Object.assign(this, { epoch, number, at, gone: [], touched: new Set() })
    this.seats = new Map(epoch.members.map(one => [one.name, { ...one }]))
    this.formulas = { ...epoch.formulas }
    this.lease = Object.fromEntries([2, 3, 4].map(level => [level, leaseBound(epoch, level)]))
    this.durations = [...epoch.durations_ms]
    this.sources = new Map(epoch.sources.map(one => [one.id, one]))
  }

  seat (name) {
    obey(this.seats.has(name), 'seat-exists')
    return this.seats.get(name)
  }

  freeKey (key) {
    obey(codeOf(() => checkKey(key)) === null, 'key-is-free')
    for (const one of [...this.seats.values(), ...this.epoch.members]) obey(!same(one.governance_key, key), 'key-is-free')
  }

  convict ({ member, key_version: version }) {
    const seat = this.seat(member)
    obey(!seat.suspended && version > seat.proven, 'changes-something')
    this.touched.add(seat.group)
    Object.assign(seat, { suspended: true, proven: version })
  }

  admit ({ member, group, key }) {
    const taken = this.seats.has(member) || this.epoch.byName.has(member) || this.epoch.left.includes(member)
    obey(!taken, 'name-is-free')
    this.freeKey(key)
    obey(this.seats.size < MEMBERS_MAX, 'room-for-one-more')
    this.touched.add(group)
    this.seats.set(member, {
      name: member, group, governance_key: key, suspended: false, since: this.number, seated_ms: this.at, keyed_ms: this.at, proven: -1
    })
  }

  remove ({ member }) {
    this.touched.add(this.seat(member).group)
    obey(this.seats.size > 1, 'somebody-stays')
    this.seats.delete(member)
    this.gone.unshift(member)
  }

  regroup ({ members, group }) {
    const seats = members.map(one => this.seat(one))
    obey(new Set(members).size === members.length && seats.every(one => one.group !== group), 'changes-something')
    for (const seat of seats) {
      this.touched.add(seat.group)
      Object.assign(seat, { group, since: this.number })
    }
  }

  rekey ({ member, key }) {
    const seat = this.seat(member)
    this.freeKey(key)
    this.touched.add(seat.group)
    Object.assign(seat, { governance_key: key, keyed_ms: this.at })
  }

  retune (change) {
    let changed = false
    const put = (held, key, value) => {
      if (value === undefined) return
      changed ||= held[key] !== value
      held[key] = value
    }
    for (const [word, level] of Object.entries(LEASES)) {
      put(this.formulas, level, change[word])
      put(this.lease, level, change[`lease_${word}_ms`])
    }
    for (const [at, word] of DURATIONS.entries()) put(this.durations, at, change[word])
    obey(changed, 'changes-something')
    for (const [word, level] of Object.entries(LEASES)) {
      const lease = change[`lease_${word}_ms`]
      obey(lease === undefined || (lease >= 1000n && lease <= LEASE_MS_MAX[level]), 'leases-within-bounds')
    }
    for (const [at, word] of DURATIONS.entries()) {
      const [least, most] = DURATION_BOUNDS_MS[at]
      obey(change[word] === undefined || (change[word] >= least && change[word] <= most), 'durations-within-bounds')
    }
  }

  register ({ rows, gone }) {
    const named = [...rows.map(one => one.id), ...gone]
    obey(named.length > 0 && new Set(named).size === named.length, 'changes-something')
    for (const id of gone) obey(this.sources.delete(id), 'changes-something')
    for (const one of rows) {
      const held = this.sources.get(one.id)
      obey(held === undefined || differs(held, one), 'changes-something')
      this.sources.set(one.id, one)
    }
    obey(this.sources.size <= SOURCES_MAX, 'room-for-one-more')
  }

  suspend ({ member }) {
    const seat = this.seat(member)
    obey(!seat.suspended, 'changes-something')
    this.touched.add(seat.group)
    seat.suspended = true
  }

  reinstate ({ member }) {
    const seat = this.seat(member)
    obey(seat.suspended || this.at >= seat.seated_ms + this.epoch.durations_ms[2] / 2n, 'changes-something')
    this.touched.add(seat.group)
    Object.assign(seat, { suspended: false, seated_ms: this.at })
  }

  /** What holds of all changes together. */
  check () {
    obey(this.touched.size <= Math.max(1, this.epoch.f), 'at-most-max-1-f-groups-change')
    const n = new Set([...this.seats.values()].map(one => one.group)).size
    obey(codeOf(() => checkThresholds(n, thresholds(n, this.formulas))) === null, 'thresholds-stay-valid')
    const named = new Set([...this.epoch.bridges.flatMap(one => [one.home, one.far]), ...this.epoch.oracles.map(one => one.chain)])
    const read = sources => new Set([...sources].map(one => one.scope))
    const [before, now] = [read(this.epoch.sources), read(this.sources.values())]
    obey([...named].every(chain => !before.has(chain) || now.has(chain)), 'every-chain-has-a-source')
  }
}

const STEPS = { 1: 'admit', 2: 'remove', 3: 'regroup', 4: 'rekey', 5: 'retune', 6: 'register', 7: 'suspend', 8: 'reinstate' }

/** The fields that change: {members, formulas, lease_ms, durations_ms, sources, left}. `proposals` in the value's order. */
export function changed (epoch, proposals, proofs, at) {
  const draft = new Draft(epoch, epoch.number + 1n, at)
  for (const one of proofs) draft.convict(one)
  for (const { kind, change } of proposals) draft[STEPS[kind]](change)
  draft.check()
  return {
    members: [...draft.seats.values()].sort((a, b) => orderText(a.name, b.name)),
    formulas: draft.formulas,
    lease_ms: draft.lease,
    durations_ms: draft.durations,
    sources: [...draft.sources.values()].sort((a, b) => orderText(a.id, b.id)),
    left: [...draft.gone, ...epoch.left].slice(0, LEFT_MAX)
  }
}

/** Was this proposal already one of those that made this epoch or one before it? */
export const wasDecided = (epoch, hash) => [epoch, ...epoch.past].some(one => one.made_of.some(each => hex(each) === hex(hash)))
