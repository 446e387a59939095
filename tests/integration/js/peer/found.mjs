// Founding: keys of our own, the member card, consent to the charter, the first KeySet (governance/README.md).
import { randomBytes } from 'node:crypto'
import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { hex, unhex } from '../lib/bytes.mjs'
import { founderSignature, readCharter } from '../lib/charter.mjs'
import { publicOf, sealKeySet } from '../lib/seals.mjs'
import { peerIdOf } from './wire.mjs'

const TERM_MS = 364n * 86400000n
const KEYS = ['governance', 'attestation', 'transport']

export const seedsOf = dir => Object.fromEntries(Object.entries(JSON.parse(readFileSync(join(dir, 'keys.json'), 'utf8'))).map(([word, seed]) => [word, unhex(seed)]))

/** A transport seed; `between`: two peer ids, so that this member leads one of them and follows the other. */
async function transportSeed (between) {
  const [low, high] = between === undefined ? ['', '~'] : between.split(',').sort()
  while (true) {
    const seed = randomBytes(32)
    const id = await peerIdOf(seed)
    if (low < id && id < high) return seed
  }
}

export async function init ({ dir, name, address, between }) {
  mkdirSync(dir, { recursive: true })
  const seeds = Object.fromEntries(KEYS.map(one => [one, randomBytes(32)]))
  seeds.transport = await transportSeed(between)
  writeFileSync(join(dir, 'keys.json'), JSON.stringify(Object.fromEntries(KEYS.map(one => [one, hex(seeds[one])]))), { mode: 0o600 })
  writeFileSync(join(dir, 'address'), address)
  writeFileSync(join(dir, 'name'), name)
  const card = {
    name, group: name, governance: hex(publicOf(seeds.governance)), attestation: hex(publicOf(seeds.attestation)), peer_id: await peerIdOf(seeds.transport)
  }
  const lines = Object.entries(card).map(([key, value]) => `${key} = "${value}"`)
  writeFileSync(join(dir, 'card.toml'), ['card = 1', ...lines, `addresses = ["${address}"]`, ''].join('\n'))
}

export async function sign ({ dir, charter: path }) {
  const name = readFileSync(join(dir, 'name'), 'utf8')
  const seeds = seedsOf(dir)
  const { network } = readCharter(readFileSync(path, 'utf8'), { signed: false })
  const keyset = {
    member: name,
    version: 1,
    attestation: publicOf(seeds.attestation),
    transport: [await peerIdOf(seeds.transport)],
    expires_ms: BigInt(Date.now()) + TERM_MS
  }
  const { sealed } = sealKeySet(seeds.governance, network, keyset)
  const founder = `\n[[founder]]\nmember = "${name}"\nsignature = "${hex(founderSignature(seeds.governance, network))}"\n`
  appendFileSync(path, `${founder}\n[[keyset]]\nsealed = "${hex(sealed)}"\n`)
  console.log(hex(network))
}
