// Does the content of one condition work in another? A text in one condition is put into another text in
// another condition; and the contents of three conditions are mixed on the simplex (`paper/definitions.md`,
// D116).

import Corpus
import Speech
import Tensor

/// How a text was spoken or heard.
public enum Condition: String, Codable, Sendable, CaseIterable {
  case clean
  /// White noise on the clean recording.
  case noise
  /// Another speaker.
  case speaker
  /// Another pitch.
  case prosody
}

/// What a base run in one condition says with the content of another text in another condition.
public struct ConditionCell: Codable, Sendable {
  public let source: Condition
  public let base: Condition
  public let direction: String
  /// Logit differences of the source's word against the base's: of both runs, and with the moment's whole
  /// activation, or its part in the lexical subspace, taken from the source.
  public let sourceRun: Double
  public let baseRun: Double
  public let whole: Double
  public let lexical: Double
}

/// Points on the simplex of three conditions, and recoveries there.
public struct SimplexPoint: Codable, Sendable {
  /// The weights of clean, noise and speaker; they add up to 1.
  public let weights: [Double]
  public let patched: Double
}

/// What conditions do to one pair.
public struct ConditionMap: Codable, Sendable {
  public var cells: [ConditionCell] = []
  /// The clean base run's logit difference, that of the run whose content is mixed in, and with it each
  /// mixture of the three conditions' contents.
  public var baseRun = 0.0
  public var sourceRun = 0.0
  public var simplex: [SimplexPoint] = []
  /// With a share of the way from the base's content to the clean source's.
  public var path: [Double] = []
}

/// Steps along an edge of the simplex, and along the path from base to source.
public let conditionSteps = 4

extension SpeechModel {
  /// The condition map of a factorial pair: both texts clean, in noise and by the other speaker.
  ///
  /// - Parameters:
  ///   - lexical: the subspace of the connector's output
  ///   - moment: the width of the changed moment in milliseconds
  ///   - noise: signal-to-noise ratio in dB
  /// - Returns: nil where the connector keeps no frame of the changed moment
  public func conditions(
    of pair: MinimalPair, lexical: Subspace, moment: Double, noise: Double, root: String
  ) throws -> ConditionMap? {
    guard let crossed = pair.crossed else {
      throw CheckpointError("pair \(pair.id): has no crossed members, so no second speaker")
    }
    func wave(_ utterance: Utterance, _ condition: Condition) throws -> Waveform {
      let wave = try utterance.waveform(root: root)
      guard condition == .noise else { return wave }
      return try Corruption.noise(ratio: noise, seed: 0).sound(of: wave, pair: utterance.id)!
    }
    let members: [(Condition, Utterance, Utterance)] = [
      (.clean, pair.clean, crossed.speaker), (.noise, pair.clean, crossed.speaker),
      (.speaker, crossed.text, pair.corrupt),
    ]
    let words = (pair.answers.clean, pair.answers.corrupt)
    var kept: Trace?
    func trace(_ utterance: Utterance, _ condition: Condition) throws -> Trace {
      let question = try question(
        wave(utterance, condition), pair.prompt, answers: words, of: pair.id)
      // The same frames in all runs, where the sound decides which become tokens.
      let trace = try model.trace(kept.map { question.keepingFrames(of: $0) } ?? question)
      if kept == nil { kept = trace }
      return trace
    }
    let runs = try members.map { (try trace($0.1, $0.0), try trace($0.2, $0.0)) }
    let window = Window.milliseconds(pair.onset, pair.onset + moment)
    func selection(_ base: Trace, _ source: Trace) throws -> Selection? {
      try Selection(
        Cell(SpeechModel.transferSite, window), base: base, source: source, .identity)
    }
    guard try selection(runs[0].0, runs[0].1) != nil else { return nil }

    var map = ConditionMap()
    for (s, source) in members.enumerated() {
      for (b, base) in members.enumerated() {
        for direction in Direction.allCases {
          let isClean = direction == .sufficiency
          let from = isClean ? runs[s].0 : runs[s].1
          let into = isClean ? runs[b].1 : runs[b].0
          let cell = try patched(into, selection(into, from)!, lexical)
          map.cells.append(
            ConditionCell(
              source: source.0, base: base.0, direction: direction.rawValue,
              sourceRun: from.logitDifference, baseRun: into.logitDifference, whole: cell.whole,
              lexical: cell.lexical))
        }
      }
    }

    let into = runs[0].1
    let contents = try runs.map { try selection(into, $0.0)! }
    try mix(contents, of: runs[0].0, into: into, &map)
    return map
  }

  /// Puts mixtures of three conditions' contents into a run, and shares of the way to the first of them.
  ///
  /// - Parameters:
  ///   - contents: of clean, noise and speaker, at the same positions of the run
  ///   - source: the run that the first comes from
  func mix(
    _ contents: [Selection], of source: Trace, into base: Trace, _ map: inout ConditionMap
  ) throws {
    let steps = conditionSteps
    var weights: [[Double]] = []
    for a in 0...steps {
      for b in 0...(steps - a) {
        weights.append([a, b, steps - a - b].map { Double($0) / Double(steps) })
      }
    }
    let mixtures = weights.map { weights -> [Patch] in
      var mixed = contents[0].source * Float(weights[0])
      for i in 1..<3 { mixed = mixed + contents[i].source * Float(weights[i]) }
      return [contents[0].patch(taking: mixed)]
    }
    let path = (1..<steps).map { [contents[0].patch(by: Float($0) / Float(steps))] }
    let said = try model.patched(base, mixtures + path).map(\.logitDifference)
    (map.baseRun, map.sourceRun) = (base.logitDifference, source.logitDifference)
    map.simplex = zip(weights, said).map { SimplexPoint(weights: $0, patched: $1) }
    map.path = Array(said.suffix(path.count))
  }

  /// Two cells of a pair whose clean member is spoken at another pitch: into the other word, clean, and
  /// the reverse.
  ///
  /// - Parameters:
  ///   - edited: the clean member of `pair` at another pitch, to the sample aligned with it
  ///   - pair: of two words, both clean
  public func conditions(
    of pair: MinimalPair, edited: Utterance, lexical: Subspace, moment: Double, root: String
  ) throws -> [ConditionCell] {
    let words = (pair.answers.clean, pair.answers.corrupt)
    func question(_ utterance: Utterance) throws -> Question {
      try self.question(
        utterance.waveform(root: root), pair.prompt, answers: words, of: pair.id)
    }
    let clean = try model.trace(question(pair.corrupt))
    let prosody = try model.trace(question(edited).keepingFrames(of: clean))
    let window = Window.milliseconds(pair.onset, pair.onset + moment)
    return try [
      (Condition.prosody, Condition.clean, Direction.sufficiency, prosody, clean),
      (.clean, .prosody, .necessity, clean, prosody),
    ].compactMap { source, base, direction, from, into -> ConditionCell? in
      guard
        let selection = try Selection(
          Cell(SpeechModel.transferSite, window), base: into, source: from, .identity)
      else { return nil }
      let cell = try patched(into, selection, lexical)
      return ConditionCell(
        source: source, base: base, direction: direction.rawValue,
        sourceRun: from.logitDifference, baseRun: into.logitDifference, whole: cell.whole,
        lexical: cell.lexical)
    }
  }

  private func patched(_ base: Trace, _ selection: Selection, _ lexical: Subspace) throws -> (
    whole: Double, lexical: Double
  ) {
    let move = lexical.move(
      .subspace, from: DoubleMatrix(selection.base), to: DoubleMatrix(selection.source))
    let said = try model.patched(
      base, [[selection.patch()], [selection.patch(taking: moved(selection.base, by: move))]])
    return (said[0].logitDifference, said[1].logitDifference)
  }
}
