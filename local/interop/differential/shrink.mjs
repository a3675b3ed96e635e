// Makes a sequence that fails as short and plain as it can, so that a person sees why.

/** Runs at most; each is a whole sequence. */
const BUDGET = 600;

export async function shrink(sequence, fails) {
  let best = sequence;
  let left = BUDGET;
  const keeps = async (steps) => {
    if ((left -= 1) < 0) return false;
    const smaller = { ...best, steps };
    if (!(await fails(smaller))) return false;
    best = smaller;
    return true;
  };
  // Whole runs of steps, then ever shorter ones.
  for (let size = Math.ceil(best.steps.length / 2); size >= 1; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = best.steps.length - size; at >= 0; at -= 1) {
      await keeps([...best.steps.slice(0, at), ...best.steps.slice(at + size)]);
    }
  }
  let progress = true;
  while (progress && left > 0) {
    progress = false;
    for (let at = best.steps.length - 1; at >= 0; at -= 1) {
      for (const simpler of [undefined, ...simplerSteps(best.steps[at])]) {
        const steps = [...best.steps];
        steps.splice(at, 1, ...(simpler ? [simpler] : []));
        if (await keeps(steps)) {
          progress = true;
          break;
        }
      }
    }
  }
  return best;
}

/** The same step with a part left out. */
function* simplerSteps(step) {
  if (step.jobs) {
    for (const i of step.jobs.keys()) {
      if (step.jobs.length > 1) yield { ...step, jobs: step.jobs.filter((_, j) => j !== i) };
      for (const opts of without(step.jobs[i].opts)) yield { ...step, jobs: step.jobs.with(i, { ...step.jobs[i], opts }) };
    }
  }
  if (step.flow) for (const flow of simplerFlows(step.flow)) yield { ...step, flow };
  if (step.ends?.length > 1) for (const i of step.ends.keys()) yield { ...step, ends: step.ends.filter((_, j) => j !== i) };
  if (step.count > 1) yield { ...step, count: step.count - 1 };
  if (step.next > 1) yield { ...step, next: step.next - 1 };
  if (step.by) yield without1(step, 'by');
}

function* simplerFlows(node) {
  for (const opts of without(node.opts)) yield { ...node, opts };
  for (const [i, child] of (node.children ?? []).entries()) {
    if (node.children.length > 1) yield { ...node, children: node.children.filter((_, j) => j !== i) };
    for (const simpler of simplerFlows(child)) yield { ...node, children: node.children.with(i, simpler) };
  }
}

function* without(object) {
  for (const key of Object.keys(object)) yield without1(object, key);
}

function without1(object, key) {
  const { [key]: _, ...rest } = object;
  return rest;
}
