import Foundation
import Notebook
import Testing

/// A package in a temporary folder, with what a test needs to see of it.
final class Checkout: Sendable {
  let root: String

  init() {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try! FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    root = folder.path
    write("Package.swift", "")
    write(Checkout.source, "")
  }

  deinit { try? FileManager.default.removeItem(atPath: root) }

  private static let source = "Sources/Experiments/e.swift"

  func path(_ name: String) -> String { "\(root)/\(name)" }

  func notebook(_ arguments: String..., named name: String = "e") -> Notebook {
    Checkout.notebook(in: root, arguments, named: name)
  }

  /// For a child process, which gets the folder only. It takes a model or pairs of the reader's own.
  static func notebook(
    in root: String, _ arguments: [String] = [], named name: String = "e"
  ) -> Notebook {
    Notebook(
      name, file: "\(root)/\(source)", takes: Set(Own.allCases), arguments: arguments)
  }

  func write(_ name: String, _ text: String) { try! writeAtomically(text, to: path(name)) }

  func read(_ name: String) -> String? { try? String(contentsOfFile: path(name), encoding: .utf8) }

  func bytes(_ name: String) -> [UInt8] {
    [UInt8](FileManager.default.contents(atPath: path(name)) ?? Data())
  }

  /// The files in a folder; a folder that is not there has none.
  func files(_ folder: String) -> [String] {
    ((try? FileManager.default.contentsOfDirectory(atPath: path(folder))) ?? []).sorted()
  }

  var journals: [String] { files(".build/cells/e") }
}

/// A count that many threads keep.
final class Count: @unchecked Sendable {
  private let lock = NSLock()
  private var count = 0

  func add() { lock.withLock { count += 1 } }
  var value: Int { lock.withLock { count } }
}

/// A file to which processes that may be killed add a line each time something happens.
struct Log: Sendable {
  let path: String

  func add() {
    let file = open(path, O_WRONLY | O_APPEND | O_CREAT, 0o666)
    _ = Glibc.write(file, "x\n", 2)
    close(file)
  }

  var count: Int { (FileManager.default.contents(atPath: path)?.count ?? 0) / 2 }
}

/// What a child process wrote.
extension ExitTest.Result? {
  var standardOutput: String { String(decoding: self?.standardOutputContent ?? [], as: UTF8.self) }
  var standardError: String { String(decoding: self?.standardErrorContent ?? [], as: UTF8.self) }
}
