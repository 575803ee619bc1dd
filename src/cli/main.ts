#!/usr/bin/env node
/** The command line. Exit codes: 0 done, 1 failed, 2 called wrongly, 130 stopped by Ctrl-C. */
import { createRequire } from 'node:module'
import { Command, CommanderError } from 'commander'
import { RecurraError } from '../tensor/errors.ts'
import { addExplain } from './explain.ts'
import { addGenerate } from './generate.ts'
import { complain, onOutputEnd } from './output.ts'
import { addTrain } from './train.ts'

const { version } = createRequire(import.meta.url)('../../package.json') as { version: string }

/** Says what went wrong and returns the exit code. */
function failed(error: unknown): number {
  // Commander has said it already, or it was asked for its help.
  if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2
  if (error instanceof RecurraError) {
    complain(error.message)
    return 1
  }
  process.stderr.write(`recurra: a defect: ${error instanceof Error ? error.stack : String(error)}\n`)
  return 1
}

const program = new Command('recurra')
  .description('Trains and runs recurrent neural networks.')
  .version(version)
  .configureOutput({ outputError: (message) => complain(message.replace(/^error: /, '')) })
  .exitOverride()
addTrain(program)
addGenerate(program)
addExplain(program)

onOutputEnd((code) => process.exit(code))
try {
  await program.parseAsync()
} catch (error) {
  process.exitCode = failed(error)
}
