/** `recurra generate` */
import { once } from 'node:events'
import type { Command } from 'commander'
import { loadTextModel, writeText } from '../tasks/text-model.ts'
import { LARGEST_SEED, notNegative, whole } from './options.ts'
import { printable } from './terminal.ts'

interface GenerateFlags {
  readonly prompt?: string
  readonly length: number
  readonly temperature: number
  readonly seed: number
}

export function addGenerate(program: Command): void {
  program
    .command('generate')
    .summary('let a trained model write')
    .description('Writes the prompt and what the model makes of it. The same seed gives the same text.')
    .argument('<MODEL>', 'a file that train has saved')
    .option('--prompt <TEXT>', 'what the model reads first; without it, it begins a line')
    .option('--length <N>', 'characters to write', whole(1), 400)
    .option('--temperature <X>', 'below 1 plainer, above 1 wilder; 0 always the likeliest', notNegative, 0.8)
    .option('--seed <N>', 'another seed, another text', whole(0, LARGEST_SEED), 1)
    .action(generate)
}

async function generate(path: string, options: GenerateFlags): Promise<void> {
  const textModel = await loadTextModel(path)
  let pending = options.prompt ?? ''
  for await (const character of writeText(textModel, options)) {
    await write(pending + character)
    pending = ''
  }
  await write('\n')
}

/** Files and pipes get the very text, a terminal nothing that it would obey. */
async function write(text: string): Promise<void> {
  const { stdout } = process
  if (!stdout.write(stdout.isTTY ? printable(text) : text)) await once(stdout, 'drain')
}
