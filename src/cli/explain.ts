/** `recurra explain` */
import { type Command, Option } from 'commander'
import { explain as explained } from '../codegen/explain.ts'
import { loadModel } from '../io/model.ts'
import { readModelFile } from '../tasks/text-model.ts'
import { adam } from '../train/optimizers.ts'
import { profile, profileTable } from '../train/profile.ts'
import { trainingGraph } from '../train/training-graph.ts'
import { whole } from './options.ts'

interface ExplainFlags {
  readonly batch: number
  readonly steps: number
  readonly loss: 'softmaxCrossEntropy' | 'meanSquaredError'
  readonly backend: 'native' | 'wasm'
  readonly profile?: boolean
}

export function addExplain(program: Command): void {
  program
    .command('explain')
    .summary('say what becomes of a model when it trains')
    .description(
      'Says what each pass does to a training step of a model, which kernels it becomes, and what memory it takes; with ' +
        '--profile also where its time goes.',
    )
    .argument('<MODEL>', 'a model file')
    .option('--batch <B>', 'rows of a batch', whole(1), 64)
    .option('--steps <T>', 'steps of a row', whole(1), 28)
    .addOption(
      new Option('--loss <NAME>', 'the loss of the step')
        .choices(['softmaxCrossEntropy', 'meanSquaredError'])
        .default('softmaxCrossEntropy'),
    )
    .option('--profile', 'run it, and print the time of each kernel and its share of the peak')
    .addOption(
      new Option('--backend <NAME>', 'what runs it for the profile')
        .choices(['native', 'wasm'])
        .default('wasm'),
    )
    .action(explain)
}

async function explain(path: string, flags: ExplainFlags): Promise<void> {
  const { model } = await readModelFile(path, loadModel)
  const graph = trainingGraph(model, { loss: flags.loss, optimizer: adam(), clipGlobalNorm: 1 })
  const sizes = { B: flags.batch, T: flags.steps }
  console.log(explained(graph, { sizes }))
  if (flags.profile !== true) return
  console.log(profileTable(await profile(graph, { sizes, backend: flags.backend })))
}
