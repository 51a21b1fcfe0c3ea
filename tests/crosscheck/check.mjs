// Checks a log's checkpoint and inclusion proofs with @sigstore/verify: node check.mjs FOLDER LOG-KEY.
// Exit 0 when everything holds, else 1 and the reason. The library is found in the folder that SIGSTORE names.
import { createPublicKey } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join } from 'node:path'

const require = createRequire(join(process.env.SIGSTORE, 'package.json'))
const library = join(require.resolve('@sigstore/verify'), '..', 'tlog')
const { verifyMerkleInclusion } = require(join(library, 'merkle.js'))
const { verifyCheckpoint } = require(join(library, 'checkpoint.js'))

const [folder, logKey] = process.argv.slice(2)
const [name, id, ...rest] = logKey.split('+')
const material = Buffer.from(rest.join('+'), 'base64')
const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), material.subarray(1)])
const log = {
  baseURL: name,
  logID: Buffer.from(id, 'hex'),
  publicKey: createPublicKey({ key: spki, format: 'der', type: 'spki' }),
}

function entryAt(index, size) {
  const digits = String(Math.floor(index / 256))
  const groups = digits.padStart(Math.ceil(digits.length / 3) * 3, '0').match(/.../g)
  const path = groups.map((group, i) => (i < groups.length - 1 ? `x${group}` : group)).join('/')
  const width = Math.min(256, size - Math.floor(index / 256) * 256)
  let bundle = readFileSync(join(folder, 'tile', 'entries', path + (width < 256 ? `.p/${width}` : '')))
  for (let skip = index % 256; skip > 0; skip--) bundle = bundle.subarray(2 + bundle.readUInt16BE())
  return bundle.subarray(2, 2 + bundle.readUInt16BE())
}

try {
  const envelope = readFileSync(join(folder, 'checkpoint'), 'utf8')
  const checkpoint = verifyCheckpoint({ inclusionProof: { checkpoint: { envelope } } }, [log])
  const size = Number(checkpoint.logSize)
  const files = readdirSync(join(folder, 'inclusion'))
  for (const file of files) {
    const lines = readFileSync(join(folder, 'inclusion', file), 'utf8').split('\n\n')[0].split('\n')
    const logIndex = Number(lines[1].replace('index ', ''))
    const hashes = lines.slice(2).map(line => Buffer.from(line, 'base64'))
    verifyMerkleInclusion({ canonicalizedBody: entryAt(logIndex, size), inclusionProof: { logIndex, hashes } }, checkpoint)
  }
  console.log(JSON.stringify({ size, inclusion: files.length }))
} catch (error) {
  console.error(String(error.message ?? error))
  process.exit(1)
}
