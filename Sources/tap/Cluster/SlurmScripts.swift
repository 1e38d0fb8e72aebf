// The scripts of a map that Slurm computes: an array of tasks, one a shard, and the job that merges them.

import Foundation

/// What a cluster gives each task.
struct SlurmRequest {
  var memory: String?
  var cpus: Int?
  var time: String?
  var partition: String?
  /// Other options of sbatch, as they stand on its command line.
  var others: [String] = []

  fileprivate var lines: [String] {
    [
      "--ntasks=1", cpus.map { "--cpus-per-task=\($0)" }, memory.map { "--mem=\($0)" },
      time.map { "--time=\($0)" }, partition.map { "--partition=\($0)" },
    ].compactMap { $0 } + others
  }
}

/// Two scripts for sbatch beside the map's file.
struct SlurmScripts {
  /// How often a task that a signal has ended goes back into the queue by itself.
  private static let retries = 3

  let tasks: String
  let merging: String
  let (tasksPath, mergingPath): (String, String)
  private let logs: String

  /// - Parameters:
  ///   - arguments: those of `tap map`, with `out` among them
  ///   - program: the path of `tap`, the same on all nodes
  ///   - folder: where paths are counted from, the same on all nodes
  init(
    _ arguments: [String], out: String, tasks count: Int, _ request: SlurmRequest,
    program: String, folder: String
  ) {
    (tasksPath, mergingPath) = ("\(out).sbatch", "\(out).merge.sbatch")
    let absolute = URL(
      fileURLWithPath: out, relativeTo: URL(fileURLWithPath: folder, isDirectory: true)
    ).standardizedFileURL.path
    logs = absolute
    func script(_ job: String, _ array: [String], _ log: String, _ commands: String) -> String {
      let asked =
        ["--job-name=\(job)"] + array
        + ["--requeue", "--open-mode=append", "--output=\(Self.pattern(absolute))\(log)"]
        + request.lines
      return """
        #!/bin/bash
        # Written by tap submit. Its folder and those that it names are shared by all nodes; nothing else is.
        \(asked.map { "#SBATCH \(Self.directive($0))" }.joined(separator: "\n"))

        # What the determinism contract pins.
        export OPENBLAS_CORETYPE=Haswell OPENBLAS_NUM_THREADS=1
        export MALLOC_MMAP_THRESHOLD_=1073741824 MALLOC_TRIM_THRESHOLD_=4294967296
        cd \(shellWord(folder)) || exit 1

        \(commands)

        """
    }
    let map = "\(shellWord(program)) map \(shellWords(arguments))"
    tasks = script(
      "tap-map", ["--array=1-\(count)"], ".task-%a.log",
      """
      shard=$SLURM_ARRAY_TASK_ID/\(count)
      TIMEFORMAT="shard $shard: %R s, of processors %U s and %S s for the system"
      time \(map) --shard "$shard"
      status=$?
      # A signal has ended it (memory, a lost mount): it goes on from its journal, here or on another node.
      if [ $status -ge 128 ] && [ "${SLURM_RESTART_COUNT:-0}" -lt \(Self.retries) ]; then
        echo "shard $shard: ended by signal $((status - 128)), back into the queue"
        # Until Slurm ends this script.
        scontrol requeue "$SLURM_JOB_ID" && sleep 60
      fi
      exit $status
      """)
    merging = script(
      "tap-merge", [], ".merge.log",
      """
      \(shellWord(program)) merge \(shellWord(out)).shard-{1..\(count)}-of-\(count)
      """)
  }

  /// A path as Slurm's pattern of a file name, where `%` begins a symbol and `\` is an escape.
  private static func pattern(_ path: String) -> String {
    path.reduce(into: "") { text, character in
      if "%\\".contains(character) { text.append(character) }
      text.append(character)
    }
  }

  /// An option as sbatch reads it in a script: a value in double quotes where spaces, quotes or `#` would end it.
  private static func directive(_ option: String) -> String {
    let parts = option.split(separator: "=", maxSplits: 1).map(String.init)
    guard parts.count == 2, parts[1].contains(where: { " \t'\"\\#".contains($0) }) else {
      return option
    }
    let escaped = parts[1].reduce(into: "") { text, character in
      if "\"\\".contains(character) { text.append("\\") }
      text.append(character)
    }
    return "\(parts[0])=\"\(escaped)\""
  }

  /// What the merging job waits for: the end of all tasks, not their success. Once a task of an array has failed,
  /// Slurm never again takes the array for successful, even where the task was put back and ended well; and the
  /// merging job says itself which shards are missing.
  static func dependency(on tasks: String) -> String { "--dependency=afterany:\(tasks)" }

  /// What submits both, on a machine that has sbatch.
  var commands: String {
    "id=$(sbatch --parsable \(shellWord(tasksPath))) && "
      + "sbatch \(Self.dependency(on: "$id")) \(shellWord(mergingPath))"
  }

  /// How to look, and what to do with a lost task.
  func advice(tasks job: String, merging: String, out: String, count: Int) -> String {
    """
    look:           squeue -j \(job),\(merging)
    logs:           \(shellWord(logs)).task-N.log, \(shellWord(logs)).merge.log
    a lost task N:  scontrol requeue \(job)_N, or sbatch --array=N \(shellWord(tasksPath)) where Slurm has
                    forgotten it; it goes on where it was
    merge again:    sbatch \(Self.dependency(on: job)) \(shellWord(mergingPath)) where job \(merging) has
                    ended without a map, or by hand tap merge \(shellWord(out)).shard-*-of-\(count)
    """
  }
}

/// A word in single quotes where a shell would read it otherwise than it stands.
func shellWord(_ word: some StringProtocol) -> String {
  let plain = word.utf8.allSatisfy { byte in
    (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
      || (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
      || "_-./,:=@%+".utf8.contains(byte)
  }
  // A quote ends the quoted part, stands escaped, and begins the next one.
  return plain && !word.isEmpty
    ? String(word)
    : "'\(word.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''"))'"
}

func shellWords(_ words: [String]) -> String { words.map { shellWord($0) }.joined(separator: " ") }
