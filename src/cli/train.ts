/** `recurra train` */
import { type Command, Option } from 'commander'
import { readDocuments, shakespearePlays } from '../tasks/corpus.ts'
import { requireWritable } from '../tasks/output.ts'
import { trainText } from '../tasks/text.ts'
import { INTERRUPTED, onInterrupt } from './interrupt.ts'
import { Lines } from './lines.ts'
import { fileName, LARGEST_SEED, LARGEST_SIZE, positive, whole } from './options.ts'
import { onOutputEnd } from './output.ts'
import { Pane } from './pane.ts'
import type { Reporter } from './report.ts'

interface TrainFlags {
  readonly seconds: number
  readonly epochs?: number
  readonly out: string
  readonly units: number
  readonly batch: number
  readonly steps: number
  readonly learningRate: number
  readonly seed: number
}

export function addTrain(program: Command): void {
  const size = whole(1, LARGEST_SIZE)
  program
    .command('train')
    .summary('train a character model on text')
    .description(
      'Trains an LSTM to continue text, character by character, and saves it.\n' +
        'Without FILE it reads three plays of Shakespeare. Ctrl-C saves what was learnt so far.',
    )
    .argument('[FILE...]', 'texts in UTF-8; the last 10% of each is held out')
    .addOption(
      new Option('--seconds <S>', 'how long to train').argParser(positive).default(60).conflicts('epochs'),
    )
    .option('--epochs <N>', 'passes over the text instead; the same seed then gives the same file', whole(1))
    .option('--out <FILE>', 'where to save the model', fileName, 'model.safetensors')
    .option('--units <N>', 'units of the LSTM', size, 128)
    .option('--batch <N>', 'rows of a batch', size, 16)
    .option('--steps <N>', 'steps of a window, through which gradients travel', size, 64)
    .option('--learning-rate <X>', 'of the first step; decays to a twentieth', positive, 0.01)
    .option('--seed <N>', 'of the first weights and of samples', whole(0, LARGEST_SEED), 1)
    .action(train)
}

async function train(files: readonly string[], flags: TrainFlags): Promise<void> {
  const { seconds, epochs, ...options } = flags
  const controller = new AbortController()
  const { signal } = controller
  const stop = () => controller.abort()
  const release = onInterrupt(stop)
  // Nobody sees the rest, but what was learnt is kept.
  let outputFailed = false
  onOutputEnd((code) => {
    outputFailed = code === 1
    if (outputFailed) process.exitCode = 1
    stop()
  })
  const reporter: Reporter = isTerminal() ? new Pane(process.stdout, files) : new Lines(files)
  signal.addEventListener('abort', () => reporter.stopping())
  try {
    await requireWritable(options.out, files)
    const documents = files.length > 0 ? await readDocuments(files) : await shakespearePlays()
    const until = epochs === undefined ? { seconds } : { epochs }
    let saved = ''
    for await (const event of trainText(documents, { ...options, until, signal })) {
      reporter.on(event)
      if (event.kind === 'saved') saved = event.path
    }
    reporter.close()
    if (!signal.aborted || outputFailed) return
    process.stdout.write(
      saved === ''
        ? 'stopped before the first step: nothing to save\n'
        : `stopped: ${saved} has what was learnt\n`,
    )
    process.exitCode = INTERRUPTED
  } finally {
    reporter.close()
    release()
  }
}

function isTerminal(): boolean {
  return process.stdout.isTTY && process.env['TERM'] !== 'dumb'
}
