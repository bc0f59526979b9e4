/** An app from its Compose files: loading, compiling, and the reading of files between. What the commands call. */
import { compileTree, type Compiled } from '../../protocols/apps/compile.ts';
import { Problems } from '../../protocols/apps/compose/document.ts';
import { loadCompose, type LoadOptions } from '../../protocols/apps/compose/files/load.ts';
import type { FileAnswer, FileRequest, Loading } from '../../protocols/apps/compose/files/requests.ts';
import { answerRequest } from './locate.ts';

/** The app, or everything that is wrong with its files. Rejects only for a defect. */
export async function openCompose(
  options: LoadOptions,
  standardInput: () => Promise<string>,
): Promise<Compiled> {
  const problems = new Problems();
  const loaded = await answered(loadCompose(options, problems), (request) =>
    answerRequest(request, standardInput),
  );
  if (!loaded) return { problems: problems.problems, warnings: problems.warnings };
  return compileTree(loaded.root, loaded, problems);
}

async function answered<Result>(
  loading: Loading<Result>,
  answer: (request: FileRequest) => Promise<FileAnswer>,
): Promise<Result> {
  let step = loading.next();
  while (!step.done) step = loading.next(await answer(step.value));
  return step.value;
}
