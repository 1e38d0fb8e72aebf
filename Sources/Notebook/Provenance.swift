// Where a figure comes from, in bytes that are compared; and how its run went, in bytes that are not.

import Glibc
import JSON

/// What a figure was made from, by content: never a time, a host, a path or a commit, so that the
/// same content gives the same bytes.
public struct Stamp: Sendable, Equatable, CustomStringConvertible {
  public let experiment: String

  /// The inputs and tables, by the names that the experiment gave them.
  public let digests: [(name: String, digest: Digest)]

  /// What sets it apart from the paper's: `quick 8`, `own model`.
  public let marks: [String]

  /// One line for the keywords of a PDF: names and first digits of the digests.
  public var description: String {
    let parts = digests.map { "\($0.name) \($0.digest.short)" }
    return ([experiment] + marks + parts).joined(separator: "; ")
  }

  /// The stamp with one more digest, that of a figure's table say.
  public func with(_ name: String, _ digest: Digest) -> Stamp {
    Stamp(experiment: experiment, digests: digests + [(name, digest)], marks: marks)
  }

  public static func == (a: Stamp, b: Stamp) -> Bool {
    a.experiment == b.experiment && a.marks == b.marks
      && a.digests.elementsEqual(b.digests) { $0 == $1 }
  }
}

/// How a cell went.
struct CellRecord {
  let name: String
  let items: Int
  let resumed: Int
  let seconds: Double
}

/// What a call of the experiment gave, in the order of the calls, for the page that shows it beside the call.
struct Event {
  /// `cell`, `control`, `contrast`, `claim`, `say`, `number` or `output`.
  let kind: String
  let name: String

  /// The line that was printed, or how many items a cell had.
  let text: String

  init(_ kind: String, _ name: String, _ text: String = "") {
    self.kind = kind
    self.name = name
    self.text = text
  }
}

extension Notebook {
  /// What the outputs are made from: the inputs that were opened so far.
  public var stamp: Stamp { Stamp(experiment: name, digests: inputs, marks: options.marks) }

  /// Notes a fact of this run, such as the kernel of the BLAS, in its record only.
  public func note(_ name: String, _ fact: String) { facts[name] = .string(fact) }

  /// The record of this run as JSON: when, where, how long, and what every control measured.
  func runRecord(published: Bool) -> JSON {
    var time = time(nil)
    var parts = tm()
    gmtime_r(&time, &parts)
    var date = [CChar](repeating: 0, count: 32)
    strftime(&date, date.count, "%Y-%m-%dT%H:%M:%SZ", &parts)
    var host = [CChar](repeating: 0, count: 256)
    gethostname(&host, host.count - 1)

    return .object([
      "experiment": .string(name),
      "date": .string(text(date)),
      "host": .string(text(host)),
      "cores": .integer(sysconf(Int32(_SC_NPROCESSORS_ONLN))),
      "seconds": .number(now() - started),
      "peakMemory": Memory.peak.map { .integer($0) } ?? .null,
      "executable": .string(executablePath ?? "unknown"),
      "program": .string(program.description),
      "quick": options.quick.map { .integer($0) } ?? .null,
      "own": .object(
        Dictionary(
          uniqueKeysWithValues: zip(Own.allCases, [options.model, options.pairs]).compactMap {
            own, path in path.map { (own.rawValue, .string($0)) }
          })),
      "published": .bool(published),
      "facts": .object(facts),
      "inputs": .object(
        Dictionary(uniqueKeysWithValues: inputs.map { ($0.name, .string($0.digest.description)) })),
      "cells": .array(
        cells.map { cell in
          [
            "name": .string(cell.name), "items": .integer(cell.items),
            "resumed": .integer(cell.resumed), "seconds": .number(cell.seconds),
          ]
        }),
      "events": .array(
        events.map { event in
          [
            "kind": .string(event.kind), "name": .string(event.name), "text": .string(event.text),
          ]
        }),
      "findings": .array(
        findings.map { finding in
          [
            "kind": .string(finding.kind.rawValue), "name": .string(finding.name),
            "expectation": .string(finding.expectation), "measured": .string(finding.measured),
            "holds": .bool(finding.holds),
          ]
        }),
    ])
  }

  private func text(_ characters: [CChar]) -> String {
    String(decoding: characters.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }
}

/// The path of the running program.
var executablePath: String? {
  var buffer = [UInt8](repeating: 0, count: 4096)
  let count = buffer.withUnsafeMutableBytes {
    readlink("/proc/self/exe", $0.bindMemory(to: CChar.self).baseAddress!, $0.count)
  }
  return count > 0 ? String(decoding: buffer[..<count], as: UTF8.self) : nil
}
