/** Timers as what waits is given them: tests give others. */

/** Runs `task` once after `ms`, and returns what cancels it. */
export type SetTimer = (task: () => void, ms: number) => () => void;

export const platformTimer: SetTimer = (task, ms) => {
  const timer = setTimeout(task, ms);
  return () => clearTimeout(timer);
};
