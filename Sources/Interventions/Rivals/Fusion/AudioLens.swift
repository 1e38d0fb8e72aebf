// AudioLens (arXiv 2506.05140): the logit lens at the last position of the prompt, the layer from which on
// it reads the right answer, and how far that lies from where the answer is causally handed over
// (`paper/definitions.md`, D168).

import Corpus
import Speech
import Tensor

/// One answer in the logit lens, by depth: how many layers of the language model lie below, from 0 on.
public struct LensCurve: Codable, Sendable {
  /// Log probability among the answers of the task, in nats.
  public let scores: [Double]
  /// Log probability less that of the strongest other answer, in nats.
  public let margins: [Double]
  /// 1 where no other answer is stronger.
  public let ranks: [Int]

  /// - Parameters:
  ///   - logits: of all answers of the task, two or more, by depth
  ///   - index: which of them the curve is of
  public init(_ logits: [[Double]], of index: Int) {
    precondition(
      logits.allSatisfy { $0.count > 1 && $0.indices.contains(index) }, "an answer among others")
    let others = logits.map { row in row.indices.filter { $0 != index }.map { row[$0] } }
    scores = logits.map { row in
      let top = row.max()!
      return row[index] - top - Elementary.log(row.reduce(0) { $0 + Elementary.exp($1 - top) })
    }
    margins = zip(logits, others).map { $0[index] - $1.max()! }
    ranks = zip(logits, others).map { row, rest in 1 + rest.count { $0 > row[index] } }
  }

  /// The critical layer: from behind how many layers on no other answer is stronger; nil where one is in
  /// the end.
  public var critical: Int? {
    let behind = (ranks.lastIndex { $0 != 1 } ?? -1) + 1
    return behind < ranks.count ? behind : nil
  }

  /// The same, interpolated between two layers to where the margin is zero.
  public var layer: Double? {
    crossing(margins, at: margins.indices.map(Double.init), 0, rises: true)
  }
}

/// The logit lens of one recording.
public struct LensReading: Codable, Sendable {
  public let answer: LensCurve
  /// The answer of an unrelated item that is asked the same, in the same run.
  public let unrelated: LensCurve

  public init(answer: LensCurve, unrelated: LensCurve) {
    (self.answer, self.unrelated) = (answer, unrelated)
  }
}

extension SpeechModel {
  /// Reads the answer to the clean member from the residual stream behind every layer.
  ///
  /// - Parameters:
  ///   - other: the pair whose answer is the control
  ///   - answers: the first tokens of all answers to the pair's question
  ///   - root: the folder below which the recordings lie
  /// - Throws: where a recording is unusable, or an answer is not among `answers`.
  public func lens(
    on pair: MinimalPair, unrelated other: MinimalPair, among answers: Set<Int>, root: String
  ) throws -> LensReading {
    guard other.prompt == pair.prompt, let theirs = try textTokens(other.answers.clean).first else {
      throw CellError(
        "pair \(pair.id): the control \(other.id) is asked something else; give a pair with the same "
          + "prompt")
    }
    let wave = try pair.clean.waveform(root: root)
    let run = try model.trace(question(wave, pair.prompt, answers: pair.answers, of: pair.id))
    return try model.lens(run, unrelated: theirs, among: answers)
  }
}

extension AudioLanguageModel {
  /// The same of a run: the residual stream of the last position behind each layer through the final norm
  /// and the unembedding.
  ///
  /// - Parameters:
  ///   - unrelated: the token of the control
  ///   - answers: tokens of all answers, that of the run's question and the control among them
  public func lens(_ run: Trace, unrelated: Int, among answers: Set<Int>) throws -> LensReading {
    let all = answers.sorted()
    guard let own = all.firstIndex(of: run.question.answer),
      let theirs = all.firstIndex(of: unrelated), own != theirs
    else {
      throw CellError(
        "the answer (token \(run.question.answer)) and the control's (\(unrelated)) should be two of "
          + "the \(all.count) answers of the task; give the answers of the pair's own question")
    }
    guard run.logits.rows == 1 else {
      throw CellError(
        "the question forces tokens, and the lens reads the prompt's last position alone; ask for "
          + "answers that differ in their first token")
    }
    let logits = try logitLens(run).map { row in all.map { Double(row[0, $0]) } }
    return LensReading(
      answer: LensCurve(logits, of: own), unrelated: LensCurve(logits, of: theirs))
  }
}

/// Where the lens reads the answer and where the answer is handed over, over recordings; in layers.
public struct LensSummary: Codable, Sendable {
  /// Recordings whose answer is the strongest of the task in the end.
  public let recordings: Int
  /// Mean layers: of the lens; from which on the last position recovers half of the logit difference; from
  /// which on the sound recovers less than half.
  public let lens: Estimate
  public let causal: Estimate
  public let sound: Estimate
  /// Lens less causal, with its sign.
  public let later: Estimate
  /// Mean absolute distance to the causal layer: of the recording's own lens layer, of the lens layers of
  /// all recordings of other groups, and of the layer where the sound's recovery falls.
  public let distance: Estimate
  public let shuffled: Estimate
  public let soundDistance: Estimate
  /// The share of recordings in which the unrelated item's answer is ever the strongest behind half of the
  /// layers or more.
  public let unrelated: Estimate

  /// The row of the table of rivals: the lens layer is that of the hand-over if it lies nearer to it than
  /// the lens layers of other recordings do, with all of both intervals.
  public func row(of model: String) -> RivalRow {
    RivalRow(
      "AudioLens", on: model,
      claim: "the layer from which on the logit lens reads the answer is where it is handed over",
      measure:
        "layers from where the last token recovers half; control: lens layers of other recordings; "
        + "TAP: where the sound no longer does",
      effect: distance, control: shuffled, tap: soundDistance,
      holds: distance.high < shuffled.low)
  }
}

/// The layers of one recording, by its place among all.
private struct LensLayers {
  let index: Int
  let lens: Double
  let causal: Double
  let sound: Double
}

extension Array where Element == LensReading {
  /// - Parameters:
  ///   - traced: the tracing of each recording
  ///   - groups: the resampling unit of each
  ///   - random: split by the names of what is estimated
  /// - Throws: where recordings of fewer than two groups are read rightly in the end.
  public func summary(
    _ traced: [FusionReading], groups: [String], draws: Int, _ random: Random
  ) throws -> LensSummary {
    guard traced.count == count, groups.count == count else {
      throw CellError(
        "\(count) recordings in the lens, \(traced.count) traced and \(groups.count) groups; give as "
          + "many of each")
    }
    let found = indices.compactMap { i -> LensLayers? in
      func depth(_ place: FusionPlace, rises: Bool) -> Double? {
        Interventions.crossing(
          traced[i].recovery(place, .logitDifference), at: traced[i][place].depths, 0.5,
          rises: rises)
      }
      guard let lens = self[i].answer.layer, let causal = depth(.last, rises: true),
        let sound = depth(.sound, rises: false)
      else { return nil }
      return LensLayers(index: i, lens: lens, causal: causal, sound: sound)
    }
    let own = found.map { groups[$0.index] }
    guard Set(own).count > 1 else {
      throw CellError(
        "the lens reads the right answer in the end in \(found.count) of \(count) recordings, of "
          + "\(Set(own).count) groups; give recordings of two groups that the model answers")
    }
    func mean(_ name: String, _ values: [Double]) -> Estimate {
      ratioOfMeans(
        values, values.map { _ in 1 }, groups: own, draws: draws, random.split(name))
    }
    let shuffled = found.indices.map { i in
      let others = found.indices.filter { own[$0] != own[i] }
      return others.reduce(0) { $0 + abs(found[$1].lens - found[i].causal) } / Double(others.count)
    }
    let misread = found.map { place -> Double in
      let ranks = self[place.index].unrelated.ranks
      return ranks[(ranks.count / 2)...].contains(1) ? 1 : 0
    }
    return LensSummary(
      recordings: found.count, lens: mean("lens", found.map(\.lens)),
      causal: mean("causal", found.map(\.causal)), sound: mean("sound", found.map(\.sound)),
      later: mean("later", found.map { $0.lens - $0.causal }),
      distance: mean("distance", found.map { abs($0.lens - $0.causal) }),
      shuffled: mean("shuffled", shuffled),
      soundDistance: mean("sound distance", found.map { abs($0.sound - $0.causal) }),
      unrelated: mean("unrelated", misread))
  }
}
