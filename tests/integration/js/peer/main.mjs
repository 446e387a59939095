// A member of the network as a process.
//   node --import ./polyfill.mjs peer/main.mjs init   --dir D --name N --address /ip4/…/tcp/…    keys and card.toml
//   node --import ./polyfill.mjs peer/main.mjs sign   --dir D --charter FILE                     consent and KeySet
//   node --import ./polyfill.mjs peer/main.mjs verify --charter FILE --certificate FILE          offline, for anybody
//   node --import ./polyfill.mjs peer/main.mjs run    --dir D [--chains FILE]                    with D/charter.toml
// `run` reads one command a line ({"do": "raise", …}) and writes one event a line.
import { parseArgs } from 'node:util'
import { init, sign } from './found.mjs'
import { run } from './run.mjs'
import { verify } from './verify.mjs'

const WORDS = ['dir', 'name', 'address', 'charter', 'certificate', 'chains', 'between']
const { values, positionals } = parseArgs({ options: Object.fromEntries(WORDS.map(one => [one, { type: 'string' }])), allowPositionals: true })
const todo = { init, sign, verify, run }[positionals[0]]
if (todo === undefined) {
  console.error('one of init, sign, verify, run')
  process.exit(2)
}
try {
  await todo(values)
} catch (fault) {
  console.error(`foreign peer: ${fault.message}`)
  process.exit(1)
}
