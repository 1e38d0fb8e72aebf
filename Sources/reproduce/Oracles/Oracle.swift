// An oracle: something that must hold of a method whose answer is known, and the numbers by which it
// was checked (`paper/definitions.md`, D88).

import Foundation
import Interventions
import Speech
import Tensor

/// What an oracle said.
struct Oracle: Sendable {
  /// Its number in D88.
  let number: Int
  let claim: String
  let passes: Bool
  /// The size of what was compared; an oracle that compares zeros with zeros has seen nothing.
  let seen: Double
  /// The numbers that decided, in words.
  let numbers: String

  init(_ number: Int, _ claim: String, passes: Bool, seen: Double, _ numbers: String) {
    self.number = number
    self.claim = claim
    self.passes = passes
    self.seen = seen
    self.numbers = numbers
  }

  var line: String {
    let label = number < 10 ? " \(number)" : "\(number)"
    return "\(passes ? "PASS" : "FAIL") \(label)  \(claim): \(numbers)"
  }
}

/// A model with a pair of runs, on which oracles are asked.
struct OracleSubject: Sendable {
  let planted: PlantedModel
  let model: AudioLanguageModel
  let clean: Trace
  let corrupt: Trace

  /// A planted model: random weights, and a plant that makes the logit difference large.
  init(seed: UInt64) throws {
    planted = PlantedModel(Plant(.bottleneck, seed: seed))
    let pair = planted.pairs("oracles", voices: 1)[0]
    model = planted.model
    let sites = model.sites.filter { $0.activation != .logits }
    clean = try model.trace(pair.clean, keeping: sites)
    corrupt = try model.trace(pair.corrupt, keeping: sites)
  }

  /// Every site that can be patched.
  var sites: [Site] { model.sites.filter { $0.activation != .logits } }

  /// All positions of a site in both runs.
  func selection(_ site: Site, _ window: Window = .all, base: Trace, source: Trace) throws
    -> Selection
  {
    guard
      let selection = try Selection(
        Cell(site, window), base: base, source: source, .identity)
    else { throw CellError("\(site)@\(window) has no position") }
    return selection
  }
}

/// A number as oracles print it.
func scientific(_ value: Double) -> String { String(format: "%.1e", value) }

func decimal(_ value: Double, _ digits: Int = 2) -> String { String(format: "%.\(digits)f", value) }
