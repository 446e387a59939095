import { closeSync, existsSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { hex, unhex } from '../lib/bytes.mjs'
import { readCharter } from '../lib/charter.mjs'
import { subjectBytes } from '../lib/subjects.mjs'
import { seedsOf } from './found.mjs'
import { Member } from './member.mjs'
import { Wire } from './wire.mjs'

/** The one thing that outlives this process: which seq comes next, on disk before the entry is said. */
class Mark {
  constructor (path) {
    this.path = path
    const held = existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')) : { seq: '0', prev: '00'.repeat(32) }
    this.held = { seq: BigInt(held.seq), prev: unhex(held.prev) }
  }

  next () {
    return this.held
  }

  take (seq, hash) {
    const file = openSync(`${this.path}.new`, 'w', 0o600)
    writeSync(file, JSON.stringify({ seq: String(seq + 1n), prev: hex(hash) }))
    fsyncSync(file)
    closeSync(file)
    renameSync(`${this.path}.new`, this.path)
    this.held = { seq: seq + 1n, prev: hash }
  }
}

const tell = event => process.stdout.write(JSON.stringify(event) + '\n')

export async function run ({ dir, chains }) {
  const charter = readCharter(readFileSync(join(dir, 'charter.toml'), 'utf8'))
  const name = readFileSync(join(dir, 'name'), 'utf8')
  const seeds = seedsOf(dir)
  const verify = chains === undefined ? null : (await import('./chain.mjs')).verifier(JSON.parse(readFileSync(chains, 'utf8')))
  const member = new Member({ name, seed: seeds.attestation, governance: seeds.governance, charter, mark: new Mark(join(dir, 'mark.json')), tell, verify })
  const wire = new Wire(charter.network, {
    up: peer => member.up(peer), down: (peer, why) => member.down(peer, why), frame: (peer, channel, raw) => member.frame(peer, channel, raw)
  })
  member.wire = wire
  member.meet()
  await wire.start(seeds.transport, readFileSync(join(dir, 'address'), 'utf8'))
  member.run(wire)
  tell({ event: 'running', peer: wire.id })
  await obey(member)
  member.stop()
  await wire.stop()
  process.exit(0)
}

const LATER = [[64, 'of a later version'], [70, [1, new Map([[2, unhex('000102')]])]], [4294967296, null]]
/** What a member of a later version might say: fields that may be ignored, one that may not, a kind of entry. And a
 *  liar: two entries of one number. */
const STRANGE = {
  optional: member => about => member.attest({ ...about, later: { entry: LATER, body: LATER } }),
  critical: member => about => member.attest({ ...about, later: { entry: [], body: [[15, 1]] } }),
  fork: member => () => member.fork(),
  kind: member => () => member.say(42, [[1, [1, 'two']], [9, null], [64, unhex('03')]])
}

/** Commands from standard input, until it ends. */
async function obey (member) {
  for await (const line of createInterface({ input: process.stdin })) {
    const { do: what, subject, ...more } = JSON.parse(line)
    const about = { ...more, subject: subject === undefined ? undefined : subjectBytes(subject) }
    try {
      if (what === 'state') tell(member.state())
      else if (what === 'raise') tell({ event: 'said', hash: hex(member.attest(about).hash) })
      else if (what === 'withdraw') tell({ event: 'said', hash: hex(member.attest({ ...about, level: 0 }).hash) })
      else if (what === 'propose') tell({ event: 'said', hash: hex(member.propose(more)) })
      else if (what === 'vote') tell({ event: 'said', hash: hex(member.vote({ ...more, proposal: unhex(more.proposal) })) })
      else if (what in STRANGE) {
        const { raw, hash } = STRANGE[what](member)(about)
        tell({ event: 'said', hash: hex(hash), raw: hex(raw) })
      } else if (what === 'release') tell({ event: 'said', hash: hex(member.release(about).hash) })
      else tell({ event: 'fault', why: `what is ${what}` })
    } catch (fault) {
      tell({ event: 'fault', why: fault.message })
    }
  }
}
