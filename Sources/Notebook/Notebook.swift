// An experiment: its options, its inputs, its cells in order, and what it writes at the end.

import Glibc
import JSON

/// What a literate experiment talks to.
///
/// An experiment opens its inputs, computes its cells, states its controls, and registers its
/// outputs and numbers; ``finish()`` writes them, if and only if every control has passed.
public final class Notebook {
  /// The experiment, as its file is called.
  public let name: String

  public let options: Options

  /// The package that the experiment belongs to, or nil where it was moved away from it.
  public let root: String?

  /// The folder that `figures/`, `paper/` and `build/` are written in: the package, the folder
  /// that `--out` names, `build/quick` for a quick run, or `build/own` for one on the reader's own.
  public let destination: String

  var inputs: [(name: String, digest: Digest)] = []
  var cells: [CellRecord] = []
  var findings: [Finding] = []
  var numbers: [Ledger.Row] = []
  var facts: [String: JSON] = [:]
  var events: [Event] = []
  private var outputs: [Output] = []

  /// Whether the cell that `--from` names has been reached.
  var isPastFrom = false

  let program: Digest
  let started = now()

  /// Where the journals are; nil where nothing can be stored.
  let journalFolder: String?

  /// Open, and locked, as long as the notebook lives.
  private let lock: Int32
  private var manifest: Manifest?

  /// Begins an experiment. What is wrong here or in any other call ends the program, with a message.
  ///
  /// - Parameters:
  ///   - file: the experiment's source, from which the package is found.
  ///   - own: what the reader may put in the place of the package's.
  ///   - instead: why no more than that, and what takes it.
  ///   - arguments: the command line without the program's name.
  public init(
    _ name: String, file: String = #filePath, takes own: Set<Own> = [],
    instead: String = "it is about models and pairs that it names; "
      + "`tap map --model DIR --pairs FILE` maps your own",
    arguments: [String] = Array(CommandLine.arguments.dropFirst())
  ) {
    self.name = name
    scriptName.withLock { $0 = name }
    prepareToEnd()
    let options = attempt { try Options(arguments) }
    let root = packageRoot(above: file)
    if options.help { Notebook.tell(Options.usage(name)) }

    attempt { try options.check(taken: own, instead: instead) }
    self.options = options
    self.root = root
    program = attempt { try Digest.ofExecutable.get() }
    destination = attempt { try outputFolder(options, root: root, file: file) }

    // Quick runs of other sizes are other runs: what later cells compute depends on how much earlier ones had.
    let quick = options.quick.map { "-quick-\($0)" } ?? ""
    let journals = (environment("TAP_CELLS") ?? root.map { "\($0)/.build/cells" })
      .map { "\($0)/\(name)\(options.own.isEmpty ? "" : "-own")\(quick)" }
    if options.list { Notebook.tell(outline(of: file, journals: journals, program: program)) }
    (journalFolder, lock) = openJournals(journals)
    if options.fresh, let journalFolder { removeFiles(in: journalFolder) }
    Interruption.watch(resumable: journalFolder != nil)
  }

  /// Prints what was asked for instead of a run.
  private static func tell(_ text: String) -> Never {
    print(text)
    exit(0)
  }

  deinit {
    guard lock >= 0 else { return }
    // Unlocks also where a child process being started holds a copy of the file for a moment.
    flock(lock, LOCK_UN)
    close(lock)
  }

  // ## Inputs

  /// Verifies a file, or all files of a folder, against the package's manifests and gives its path.
  ///
  /// Its digest becomes part of the stamp and of the key of every value computed afterwards.
  ///
  /// - Parameter name: what the stamp calls it; its path if nil.
  public func input(_ path: String, as name: String? = nil) -> String {
    attempt {
      guard let root else { throw Failure("\(path): the package that holds it is not found") }
      let manifest = try self.manifest ?? Manifest(of: root)
      self.manifest = manifest
      let isListed = manifest.entries[path] != nil
      input(
        name ?? path,
        digest: try isListed ? manifest.check(path) : manifest.check(folder: path))
      return "\(root)/\(path)"
    }
  }

  /// Verifies a file or folder as ``input(_:as:)`` does, and gives what `read` makes of its path.
  public func input<T>(_ path: String, as name: String? = nil, _ read: (String) throws -> T) -> T {
    let path = input(path, as: name)
    return attempt { try read(path) }
  }

  /// Gives what `read` makes of a file that the repository itself keeps, such as a manifest, and
  /// that no manifest lists. Its digest becomes part of the stamp and of the keys.
  public func tracked<T>(_ path: String, as name: String? = nil, _ read: (String) throws -> T) -> T
  {
    attempt {
      guard let root else { throw Failure("\(path): the package that holds it is not found") }
      input(name ?? path, digest: try Digest(ofFile: "\(root)/\(path)"))
      return try read("\(root)/\(path)")
    }
  }

  /// Makes the digest of something else that the values depend on part of stamp and keys.
  public func input(_ name: String, digest: Digest) {
    attempt {
      guard !inputs.contains(where: { $0.name == name }) else {
        throw Failure("the input \"\(name)\" is there twice")
      }
      inputs.append((name, digest))
    }
  }

  // ## Outputs

  /// Registers a file to be written by ``finish()``.
  ///
  /// - Parameters:
  ///   - path: below the destination, as in `figures/figure2.pdf`.
  ///   - write: writes the file at the path it is given, which is a temporary one.
  public func output(_ path: String, write: @escaping (String) throws -> Void) {
    attempt {
      guard !path.hasPrefix("/"), !path.split(separator: "/").contains("..") else {
        throw Failure("the output \(path) is outside \(destination)")
      }
      guard !outputs.contains(where: { $0.path == "\(destination)/\(path)" }) else {
        throw Failure("the output \(path) is there twice")
      }
      outputs.append(Output("\(destination)/\(path)", write: write))
      events.append(Event("output", path))
    }
  }

  /// Registers a text to be written by ``finish()``.
  public func output(_ path: String, text: String) {
    output(path) { try writeNewFile(Array(text.utf8), at: $0) }
  }

  /// Prints a line of the experiment's report.
  public func say(_ line: String) { say(line, of: Event("say", "", line)) }

  /// Prints a line, and notes what it belongs to.
  func say(_ line: String, of event: Event) {
    events.append(event)
    print(line)
    fflush(nil)
  }

  // ## The end

  /// Writes figures, tables and ledger, all of them or none, and the record of the run.
  ///
  /// If a control failed, nothing is replaced and the program ends with status 1. In both cases the
  /// stored values stay: the next run of the same program on the same inputs takes them.
  public func finish() {
    attempt {
      if let from = options.from, !isPastFrom {
        throw Failure(
          "there is no cell \"\(from)\", so nothing was computed again or written; there are "
            + cells.map { "\"\($0.name)\"" }.joined(separator: ", "), status: 64)
      }
      let failed = findings.filter { $0.kind == .control && !$0.holds }.map { "\"\($0.name)\"" }
      if failed.isEmpty { try publishAll() }
      let record = "\(destination)/build/\(name).run.json"
      try writeAtomically(runRecord(published: failed.isEmpty).text, to: record)
      guard failed.isEmpty else {
        throw Failure(
          "\(counted(failed.count, "control")) failed (\(failed.joined(separator: ", ")));"
            + " figures and ledger are left as they were")
      }
    }
    let controls = findings.count { $0.kind == .control }
    let refuted = findings.count { $0.kind == .claim && !$0.holds }
    let taken = cells.reduce(0) { $0 + $1.resumed }
    if taken > 0 {
      say(
        "\(counted(taken, "value")) of an earlier run of this program on these inputs; --fresh computes "
          + "everything")
    }
    let claims =
      options.mark == nil
      ? "\(counted(refuted, "claim")) refuted"
      : "\(counted(findings.count { $0.kind == .exploratory }, "claim")) exploratory"
    say(
      "\(options.mark.map { "\($0): " } ?? "")\(counted(controls, "control")) passed, \(claims);"
        + " wrote \(counted(outputs.count, "file")) and \(counted(numbers.count, "number"))"
        + " to \(destination)")
    finishPrinting()
  }

  private func publishAll() throws {
    let folder = "\(destination)/paper"
    try createFolder(folder)
    try whileLocked(folder) {
      let old = try Ledger(readingIfPresent: "\(folder)/numbers.tsv")
      let new = try old.replacing(rowsOf: name, with: numbers)
      try publish(outputs + (new == old ? [] : [Output("\(folder)/numbers.tsv", text: new.text)]))
    }
  }
}

private func counted(_ count: Int, _ noun: String) -> String {
  "\(count) \(noun)\(count == 1 ? "" : "s")"
}
