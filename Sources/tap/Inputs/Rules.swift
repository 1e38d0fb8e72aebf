// What was fixed before a measurement: the preregistration, the gap that it asks of a pair, and the
// log in which the test split is opened.

import ArgumentParser
import Foundation
import Interventions
import JSON
import Notebook

struct RuleOptions: ParsableArguments {
  @Option(
    help: """
      The frozen rules, such as paper/preregistration.json. Results state their digest, and the split \
      that they confirm on is opened under them, which is logged beside the list.
      """) var preregistration: String?
  @Option(
    help: """
      The smallest gap of the logit difference of a pair that enters, in nats: where not given, the \
      preregistered one, or 1.
      """) var minimumGap: Double?

  func validate() throws {
    if let minimumGap, !minimumGap.isFinite || minimumGap < 0 {
      throw ValidationError("--minimum-gap should not be negative")
    }
  }

  /// - Throws: where the file is missing or no preregistration, or another gap is asked than it names.
  func rules() throws -> Rules { try Rules(preregistration, minimumGap: minimumGap) }
}

/// The rules of a measurement.
struct Rules {
  let path: String?
  let frozen: Preregistration?
  let minimumGap: Double

  /// - Throws: where the file is missing or no preregistration, or another gap is asked than it names.
  init(_ path: String?, minimumGap: Double? = nil) throws {
    self.path = path
    frozen = try path.map { path in
      do { return try Preregistration(path) } catch {
        throw CellError("--preregistration: \(error)")
      }
    }
    if let minimumGap, let frozen, frozen.minimumGap != minimumGap {
      throw CellError(
        "--minimum-gap \(minimumGap): \(path!) has fixed \(frozen.minimumGap) nats beforehand; leave "
          + "one of the two options out")
    }
    self.minimumGap = frozen?.minimumGap ?? minimumGap ?? 1
  }

  /// How results state them.
  var json: JSON {
    guard let path, let frozen else { return "none" }
    return ["file": .string(path), "sha256": .string(frozen.digest.description)]
  }

  var text: String { frozen.map { $0.digest.short } ?? "none" }

  /// Opens the split that the rules confirm on, where pairs of it are about to be measured.
  ///
  /// - Parameters:
  ///   - chosen: the pairs that are measured
  ///   - listed: all pairs of the list
  ///   - list: the list's file; the log lies beside it
  ///   - verb: who opens it
  /// - Returns: the path of the log, where something was opened
  /// - Throws: where the split was opened under other rules or with other items.
  func open(
    _ chosen: [RecordedPair], among listed: [RecordedPair], of list: String, by verb: String
  )
    throws -> String?
  {
    guard let frozen else {
      if chosen.contains(where: { $0.split == "test" }) {
        warn(
          "the split test is measured without --preregistration, so that its opening is not logged: "
            + "the result is exploratory")
      }
      return nil
    }
    guard chosen.contains(where: { $0.split == frozen.confirmSplit }) else { return nil }
    let items = listed.filter { $0.split == frozen.confirmSplit }.map(\.id).sorted()
    let log = (list as NSString).deletingPathExtension + ".openings.tsv"
    try OpeningLog(log).open(
      frozen.confirmSplit, items: Digest(ofParts: items), under: frozen.digest, by: verb)
    return log
  }
}
