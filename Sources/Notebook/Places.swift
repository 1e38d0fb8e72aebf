// Where an experiment finds its package, and where it keeps the values of an unfinished run.

import Glibc

/// The nearest folder with a `Package.swift`, above a source file or, where that file is not there
/// any more, above the running program.
func packageRoot(above file: String) -> String? {
  for start in [file, executablePath].compactMap({ $0 }) where exists(start) {
    var folder = split(start).folder
    while true {
      if exists("\(folder)/Package.swift") { return folder }
      let above = split(folder).folder
      if above == folder || above == "." { break }
      folder = above
    }
  }
  return nil
}

/// The folder that the outputs go below.
func outputFolder(_ options: Options, root: String?, file: String) throws -> String {
  let below = options.own.isEmpty ? options.quick == nil ? "" : "/build/quick" : "/build/own"
  guard let folder = options.out ?? root.map({ $0 + below }) else {
    throw Failure(
      "no package is found above \(file) or above the program, so there is no place for its"
        + " figures: start it in its repository, or say --out DIR")
  }
  if let mark = options.mark, let root, isSameFolder(folder, root) {
    throw Failure(
      "what is made here (\(mark)) may not go into the repository; say another --out", status: 64)
  }
  return folder
}

private func isSameFolder(_ a: String, _ b: String) -> Bool {
  var (statusA, statusB) = (stat(), stat())
  return stat(a, &statusA) == 0 && stat(b, &statusB) == 0
    && statusA.st_dev == statusB.st_dev && statusA.st_ino == statusB.st_ino
}

/// Makes the folder of the journals and locks it for this process.
///
/// - Returns: the folder, or nil where nothing can be stored there, which is said on standard
///   error; and the open lock, or -1. The lock is a file beside the folder, and stays.
func openJournals(_ folder: String?) -> (folder: String?, lock: Int32) {
  do {
    guard let folder else {
      throw Failure("no package is found; TAP_CELLS=DIR names a folder")
    }
    try createFolder(folder)
    let lock = open("\(folder).lock", O_RDWR | O_CREAT | O_CLOEXEC, 0o666)
    guard lock >= 0, access(folder, W_OK) == 0 else {
      throw Failure.system("\(folder) cannot be written")
    }
    if flock(lock, LOCK_EX | LOCK_NB) == 0 { return (folder, lock) }
    close(lock)
    throw Failure("another run of the experiment is under way")
  } catch {
    writeToStandardError("note: this run cannot be resumed if it is interrupted: \(error)\n")
    return (nil, -1)
  }
}

/// Runs `body` while no other process runs one under the lock of the same folder.
func whileLocked<T>(_ folder: String, _ body: () throws -> T) throws -> T {
  let lock = open(folder, O_RDONLY | O_CLOEXEC)
  guard lock >= 0 else { throw Failure.system("cannot open \(folder)") }
  defer { close(lock) }
  while flock(lock, LOCK_EX) != 0 {
    guard errno == EINTR else { throw Failure.system("cannot lock \(folder)") }
  }
  return try body()
}

/// Removes a folder of files; what cannot be removed stays.
func removeFiles(in folder: String) {
  for name in fileNames(in: folder) { unlink("\(folder)/\(name)") }
}

/// What an experiment consists of, found in its source: one line for each call of a notebook's
/// cell, control, contrast, claim, number, figure or output, with what is stored of a cell.
func outline(of file: String, journals: String?, program: Digest) -> String {
  guard let source = try? contents(of: file) else {
    return "the source \(file) is not there"
  }
  let call = /\.(cell|control|contrast|claim|number|figure|output)\(\s*"([^"\\]+)"/
  let lines = String(decoding: source, as: UTF8.self).matches(of: call).map { match in
    let (kind, title) = (String(match.1), String(match.2))
    let label = kind + String(repeating: " ", count: 10 - kind.count) + title
    guard kind == "cell", let journals else { return label }
    let path = "\(journals)/\(Notebook.journalName(of: title))"
    let count = Journal.count(at: path, program: program)
    return count == 0 ? label : "\(label)  (\(count) stored)"
  }
  return lines.joined(separator: "\n")
}
