// What `make check` must notice, each made in a small repository of its own: a digit of the ledger, a plotted
// value, a weight, a sample of a recording.

import Foundation
import Notebook
import Testing

@testable import reproduce

@Suite struct CompareTests {
  private let scratch = FileManager.default.temporaryDirectory
    .appendingPathComponent("compare-\(UUID().uuidString)").path
  private var root: String { "\(scratch)/repository" }
  private var rerun: String { "\(scratch)/rerun" }
  private static let package = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  private let ledger = """
    name\tvalue\tlow\thigh\ttolerance\texperiment\tclaim
    a.one\t0.25\t0.125\t0.5\t1e-06\tfirst\t
    a.two\t3\t\t\t0.0\tfirst\t
    b.one\t1.5\t\t\t0.0\tsecond\t

    """

  init() throws {
    for folder in [root, rerun] {
      for part in ["figures", "paper"] {
        try FileManager.default.createDirectory(
          atPath: "\(folder)/\(part)", withIntermediateDirectories: true)
      }
      try write(ledger, to: "\(folder)/paper/numbers.tsv")
      try write("x\ty\n1\t0.75\n", to: "\(folder)/figures/figure1.tsv")
    }
    try write("other", to: "\(root)/figures/figure2.svg")
  }

  private func write(_ text: String, to path: String) throws {
    try text.write(toFile: path, atomically: true, encoding: .utf8)
  }

  private func verdicts() throws -> (agrees: Bool, of: [String: Ledger.Verdict]) {
    let found = try RerunComparison(root: root, folder: rerun)
    return (
      found.agrees,
      Dictionary(uniqueKeysWithValues: found.verdicts.map { ($0.name, $0.verdict) })
    )
  }

  @Test func whatIsTheSameAgrees() throws {
    let (agrees, of) = try verdicts()
    #expect(agrees && of["a.one"] == .identical && of["figures/figure1.tsv"] == .identical)
    #expect(of["figures/figure2.svg"] == .notRerun)
    let lines = try RerunComparison(root: root, folder: rerun).verdicts.map(\.description)
    #expect(lines.contains("identical         a.one 0.25  0.25"))
  }

  @Test func oneChangedDigitOfTheLedgerIsNamed() throws {
    try write(
      ledger.replacingOccurrences(of: "0.25\t", with: "0.26\t"), to: "\(rerun)/paper/numbers.tsv")
    let (agrees, of) = try verdicts()
    #expect(!agrees && of["a.one"] == .differs && of["a.two"] == .identical)
    try write(
      ledger.replacingOccurrences(of: "0.25\t", with: "0.2500000001\t"),
      to: "\(rerun)/paper/numbers.tsv")
    #expect(try verdicts().agrees && verdicts().of["a.one"] == .withinTolerance)
    try write(
      ledger.split(separator: "\n").dropLast().joined(separator: "\n") + "\n",
      to: "\(rerun)/paper/numbers.tsv")
    #expect(try verdicts().agrees && verdicts().of["b.one"] == .notRerun)
    let fewer = ledger.split(separator: "\n").filter { !$0.hasPrefix("a.two") }
    try write(fewer.joined(separator: "\n") + "\n", to: "\(rerun)/paper/numbers.tsv")
    #expect(try !verdicts().agrees && verdicts().of["a.two"] == .missing)
  }

  @Test func oneChangedPlottedValueIsNamed() throws {
    try write("x\ty\n1\t0.76\n", to: "\(rerun)/figures/figure1.tsv")
    let (agrees, of) = try verdicts()
    #expect(!agrees && of["figures/figure1.tsv"] == .differs)
    try write("x", to: "\(rerun)/figures/figure9.tsv")
    #expect(try verdicts().of["figures/figure9.tsv"] == .missing)
  }

  /// The first thing that `make check` does, on copies of two of the files that it lists.
  @Test(arguments: [
    "artifacts/qwen2-audio-small/model.safetensors", "artifacts/evaluation/kal/a-pat.flac",
  ])
  func oneChangedWeightOrSampleIsNamed(_ file: String) throws {
    let sums = try String(
      contentsOfFile: "\(Self.package)/data-manifests/SHA256SUMS", encoding: .utf8)
    let line = try #require(sums.split(separator: "\n").first { $0.hasSuffix("  \(file)") })
    let copy = "\(root)/\(file)"
    try FileManager.default.createDirectory(
      atPath: (copy as NSString).deletingLastPathComponent, withIntermediateDirectories: true)
    try FileManager.default.copyItem(atPath: "\(Self.package)/\(file)", toPath: copy)
    try write(line + "\n", to: "\(root)/SUMS")
    func check() throws -> (status: Int32, out: String) {
      let process = Process()
      process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
      process.arguments = ["sha256sum", "--quiet", "-c", "SUMS"]
      process.currentDirectoryURL = URL(fileURLWithPath: root)
      let pipe = Pipe()
      (process.standardOutput, process.standardError) = (pipe, FileHandle.nullDevice)
      try process.run()
      let out = pipe.fileHandleForReading.readDataToEndOfFile()
      process.waitUntilExit()
      return (process.terminationStatus, String(decoding: out, as: UTF8.self))
    }
    #expect(try check().status == 0)
    var bytes = try Data(contentsOf: URL(fileURLWithPath: copy))
    // The lowest bit of one number in the middle.
    bytes[bytes.count / 2] ^= 1
    try bytes.write(to: URL(fileURLWithPath: copy))
    let (status, out) = try check()
    #expect(status != 0 && out.contains("\(file): FAILED"))
  }
}
