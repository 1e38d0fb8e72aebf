// `tap submit`: a map as an array of jobs of Slurm.

import ArgumentParser
import Foundation
import Interventions
import Notebook
import Speech

struct SubmitMap: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "submit",
    abstract: "Gives a map to Slurm, as an array of tasks and a job that merges them.",
    discussion: """
      Behind -- stands the command as one process would be given it. Beside its --out two scripts are \
      written, OUT.sbatch and OUT.merge.sbatch, and submitted from this folder, which all nodes must share, \
      with tap, the model and the recordings. A task that is killed or whose node is lost goes on where it \
      was, and the merged files have the bytes of one process.

        tap submit --slurm --tasks 8 --cpus 2 --memory 8G --time 4:00:00 -- \\
          map --model my/model --pairs my/pairs.json --control \\
          --out build/map.json --figure build/map.pdf
      """)

  @Flag(help: "To Slurm, the one queue that scripts are written for.") var slurm = false
  @Option(help: "How many tasks share the map.") var tasks: Int
  @Option(help: "Memory of a task, such as 8G, in MB where no letter is given.") var memory: String?
  @Option(help: "Cores of a task.") var cpus: Int?
  @Option(help: "The longest that a task may last, such as 4:00:00.") var time: String?
  @Option(help: "The partition; the cluster's usual one where not given.") var partition: String?
  @Option(
    help: "Another option of sbatch, such as --sbatch=--account=speech; may be given several times."
  )
  var sbatch: [String] = []
  @Flag(help: "Write the scripts, submit nothing and say how to.") var writeOnly = false
  @Argument(
    parsing: .postTerminator,
    help: ArgumentHelp("The command: map and its options.", valueName: "map ...")) var command:
    [String]

  func validate() throws {
    guard slurm else { throw ValidationError("give --slurm, the one queue that there is") }
    if tasks < 1 || (cpus ?? 1) < 1 {
      throw ValidationError("--tasks and --cpus should be 1 or more")
    }
    let forms: [(String, String?, Regex<Substring>, String)] = [
      ("--memory", memory, /[0-9]+[KMGTkmgt]?/, "such as 8G"),
      ("--time", time, /[0-9]+(?:[:\-][0-9]+)*/, "such as 4:00:00"),
      ("--partition", partition, /[A-Za-z0-9_.,\-]+/, "a name"),
    ]
    for (name, value, form, example) in forms {
      guard let value, value.wholeMatch(of: form) == nil else { continue }
      throw ValidationError("\(name) \(value): should be \(example)")
    }
    for option in sbatch where !option.hasPrefix("--") || option.contains(where: \.isNewline) {
      throw ValidationError(
        "--sbatch \(option): should be an option of sbatch, as in --account=speech")
    }
    for option in sbatch
    where ["--array", "--dependency"].contains(String(option.prefix { $0 != "=" })) {
      throw ValidationError(
        "--sbatch \(option): the tasks are an array, and the merge waits for them; leave it out")
    }
    guard command.first == "map" else {
      throw ValidationError(
        "behind -- should stand map and its options, the one command that is divided")
    }
  }

  func run() throws {
    let given = Array(command.dropFirst())
    let map = try MapCells.parse(given)
    guard map.shard == nil else {
      throw ValidationError("leave --shard out: each task is given its own")
    }
    guard !map.coarse, !map.dryRun else {
      throw ValidationError(
        "--coarse and --dry-run are of one process: leave them out, or say tap map without submit")
    }
    // What every task would stumble over.
    try checkOutputs(
      map.outputs, apartFrom: [map.list.pairs, map.otherTakes], model: map.options.model)
    _ = try openConfig(folder: map.options.model)
    _ = try RecordedPair.list(contentsOf: map.list.pairs, task: map.list.task)
    let scripts = SlurmScripts(
      MapCells.sharedArguments(given), out: map.out, tasks: tasks,
      SlurmRequest(
        memory: memory, cpus: cpus, time: time, partition: partition, others: sbatch),
      program: try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe"),
      folder: FileManager.default.currentDirectoryPath)
    if map.list.fresh { try forget(map.out) }
    try publish([
      Output(scripts.tasksPath, text: scripts.tasks),
      Output(scripts.mergingPath, text: scripts.merging),
    ])
    let written = "\(scripts.tasksPath) and \(scripts.mergingPath) are written"
    if writeOnly {
      print("\(written); submit them with\n\(scripts.commands)")
      return
    }
    guard let program = installed("sbatch") else {
      throw CellError(
        "there is no sbatch on the PATH, so that nothing is submitted; \(written): on a machine of the "
          + "cluster that shares this folder, say\n\(scripts.commands)\nor without Slurm, for each I of "
          + "1 to \(tasks): tap map \(shellWords(MapCells.sharedArguments(given))) --shard I/\(tasks)"
      )
    }
    let array = try submitted(scripts.tasksPath, [], by: program)
    let merging: String
    do {
      merging = try submitted(
        scripts.mergingPath, [SlurmScripts.dependency(on: array)], by: program)
    } catch {
      throw CellError(
        "\(error)\nThe tasks are submitted as job \(array); when they have ended, say tap merge "
          + "\(shellWord(map.out)).shard-*-of-\(tasks)")
    }
    print("job \(array) of \(tasks) tasks, job \(merging) merges them into \(map.out)")
    print(scripts.advice(tasks: array, merging: merging, out: map.out, count: tasks))
  }

  /// Removes what earlier tasks have stored.
  private func forget(_ out: String) throws {
    for shard in Shard.all(tasks) {
      let path = shard.path(beside: out)
      for file in [path, journal(beside: path)] where FileManager.default.fileExists(atPath: file) {
        try FileManager.default.removeItem(atPath: file)
      }
    }
  }

  /// - Returns: the job's number.
  /// - Throws: what sbatch says where it refuses the script.
  private func submitted(_ script: String, _ options: [String], by program: String) throws -> String
  {
    let process = Process()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["--parsable"] + options + [script]
    let (out, err) = (Pipe(), Pipe())
    (process.standardOutput, process.standardError) = (out, err)
    try process.run()
    // Both are a few lines, so that neither waits for the other.
    let said = String(decoding: out.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    let reason = String(decoding: err.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    // A federation adds the cluster's name behind a semicolon.
    let job = said.split(whereSeparator: { ";\n".contains($0) }).first.map(String.init)
    guard process.terminationStatus == 0, let job, Int(job) != nil else {
      throw CellError(
        "sbatch does not take \(script): "
          + (reason + said).trimmingCharacters(in: .whitespacesAndNewlines))
    }
    return job
  }
}

/// The path of a program that the shell would find.
private func installed(_ name: String) -> String? {
  (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
    .map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
}
