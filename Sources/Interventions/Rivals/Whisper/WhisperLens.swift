// Lenses on a published recogniser (Glazer et al., 2025, arXiv 2508.15882): the decoder's residual stream
// read as if it were the last, and the encoder's handed on as if it were, each beside what a lens reads that
// cannot see the answer, and beside an exchange of the same activation (`paper/definitions.md`, D164).

import Speech
import Tensor

/// The earliest layer from which on all layers agree with the last one, the first being 1; the number of
/// layers where only the last does.
public func settledLayer(_ agrees: [Bool]) -> Int {
  min((agrees.lastIndex(of: false) ?? -1) + 2, agrees.count)
}

/// One token of a transcript as the lenses see it; an entry for each layer of the decoder.
public struct SeenToken: Codable, Sendable, Equatable {
  /// Whether the top-1 behind the layer is that of the last one (the logit lens).
  public let own: [Bool]
  /// Whether the other recording's top-1 behind the layer, at the same place of its transcript, is: the
  /// control. The last layer counts as agreeing, as it does for `own`. Nil where the other transcript is
  /// shorter or has the same token there.
  public let blind: [Bool]?
  /// Whether the other recording's run says the token where it takes this run's residual stream behind the
  /// layer, at that position alone; nil where it is not asked.
  public let carried: [Bool]?

  public init(own: [Bool], blind: [Bool]?, carried: [Bool]?) {
    (self.own, self.blind, self.carried) = (own, blind, carried)
  }
}

/// What the lenses see of one recording.
public struct WhisperLensReading: Codable, Sendable {
  public let tokens: [SeenToken]
  /// Words that were said; and errors of the transcript that the decoder writes from each layer of the
  /// encoder, the last one last.
  public let words: Int
  public let errors: [Int]
  /// Errors of the other recording's transcript against these words: the floor.
  public let strangerErrors: Int
  /// Whether the lens at the last layer of decoder and encoder gives the usual transcript, token by token.
  public let isExact: Bool
}

/// One recording's run, with what the lenses read of it.
private struct SeenRun {
  let transcript: Transcript
  let listened: Listened
  /// The encoder's residual stream behind each layer; the run behind each layer of the decoder.
  let heard: [Tensor]
  let states: [any RunState]
  /// Rows of the text that predict the transcript's tokens, the end among them where it was reached.
  let rows: [Int]
  /// What they predict.
  let said: [Int]
}

extension Recogniser {
  /// What the lenses see of two recordings, each the other's control.
  ///
  /// - Parameters:
  ///   - limit: the most tokens of a transcript
  ///   - asked: the most tokens of one transcript that are exchanged, spread over those that differ
  public func lenses(
    _ first: Recording, _ second: Recording, limit: Int, asked: Int = 6
  ) throws -> [WhisperLensReading] {
    guard limit > 0, asked > 0 else {
      throw CellError("limit \(limit) and \(asked) exchanged tokens; give at least 1 of each")
    }
    let runs = try [first, second].map { try seen($0, limit: limit) }
    return try [(0, first), (1, second)].map { i, recording in
      let (run, other) = (runs[i], runs[1 - i])
      let tops = try run.states.map { try topTokens(behind: $0, of: run) }
      let blind = try other.states.map { try topTokens(behind: $0, of: other) }
      let carried = try carried(run, into: other, asked: asked)
      let last = tops.count - 1
      let tokens = run.said.indices.map { k in
        SeenToken(
          own: tops.map { $0[k] == tops[last][k] },
          blind: k < other.said.count && run.said[k] != other.said[k]
            ? blind.indices.map { $0 == last || blind[$0][k] == tops[last][k] } : nil,
          carried: carried[k])
      }
      let texts = try run.heard.map { stream in
        try hearing(
          of: run.listened, limit: limit,
          changing: SpeakingTap([lastOfEncoder]) { _, _, _ in stream }
        ).transcript
      }
      func errors(_ text: Transcript) -> Int {
        WordErrors(of: text.text, against: recording.text).errors
      }
      return WhisperLensReading(
        tokens: tokens, words: normalisedWords(recording.text).count, errors: texts.map(errors),
        strangerErrors: errors(other.transcript),
        isExact: tops[last] == run.said && texts.last == run.transcript)
    }
  }

  private var lastOfEncoder: Site { Site(.encoder, model.config.encoder.layers - 1, .residPost) }

  private func seen(_ recording: Recording, limit: Int) throws -> SeenRun {
    let clip = try model.clip(recording.wave())
    let listened = try listened(to: clip)
    let transcript = try hearing(of: listened, limit: limit).transcript
    var state = try model.begin(
      ModelInput(clip: clip, tokens: start + transcript.tokens), remembering: true, tap: nil)
    var (heard, states): ([Tensor], [any RunState]) = ([], [])
    while state.advance(tap: nil) {
      let site = model.cuts[state.cut].site
      guard site.layer != nil else { continue }
      if site.stage == .encoder { heard.append(state.streams[0]) } else { states.append(state) }
    }
    let said = transcript.tokens + (transcript.ended ? [try silenceTokens.end] : [])
    return SeenRun(
      transcript: transcript, listened: listened, heard: heard, states: states,
      rows: said.indices.map { start.count - 1 + $0 }, said: said)
  }

  /// The logit lens: the top-1 of every place of the transcript from the residual stream behind a layer,
  /// through the decoder's last norm and its output embedding, under the suppression of a transcript.
  private func topTokens(behind state: any RunState, of run: SeenRun) throws -> [Int] {
    var lens = run.states.last ?? state
    lens.streams[0] = state.streams[0]
    return topTokens(lens.logits({ _ in run.rows }, tap: nil)[0], places: Array(run.rows.indices))
  }

  /// The most probable token of each row, [places, vocabulary], under the suppression of a transcript.
  ///
  /// - Parameter places: which of the transcript's tokens each row predicts
  func topTokens(_ logits: Tensor, places: [Int]) -> [Int] {
    let width = logits.width
    return logits.withNumbers { numbers in
      places.enumerated().map { row, place in
        let silent = generation.suppressed.union(place == 0 ? generation.suppressedFirst : [])
        var best = (token: 0, value: -Float.infinity)
        for token in 0..<width where numbers[row * width + token] > best.value {
          if !silent.contains(token) { best = (token, numbers[row * width + token]) }
        }
        return best.token
      }
    }
  }

  /// By places of `run`, those that are asked: whether `other` says its token there with its residual stream
  /// behind each layer.
  private func carried(_ run: SeenRun, into other: SeenRun, asked: Int) throws -> [Int: [Bool]] {
    let differing = (0..<min(run.said.count, other.said.count)).filter {
      run.said[$0] != other.said[$0]
    }
    let places = differing.spread(asked)
    guard !places.isEmpty, let memory = other.states.last?.memory else { return [:] }
    let tops = zip(run.states, other.states).map { own, base -> [Int] in
      var stacked = base.stacked(places.count, knowing: memory)
      let x = stacked.streams[0]
      let each = x.rows / places.count
      stacked.streams[0] = replacingRows(
        x, at: places.enumerated().map { $0 * each + run.rows[$1] },
        with: gatherRows(own.streams[0], places.map { run.rows[$0] }))
      let rows = places.map { run.rows[$0] }
      return stacked.logits({ _ in rows }, tap: nil).enumerated().map { copy, logits in
        topTokens(gatherRows(logits, [copy]), places: [places[copy]])[0]
      }
    }
    return Dictionary(
      uniqueKeysWithValues: places.enumerated().map { i, place in
        (place, tops.map { $0[i] == run.said[place] })
      })
  }
}

/// What the lenses say of many recordings; intervals draw groups.
public struct WhisperLensSummary: Sendable {
  /// The share of tokens whose saturation layer lies in the last third of the decoder: read by the lens, by
  /// the control, and by the exchange. Each over the tokens that the control, or the exchange, has.
  public let late: (own: Estimate, blind: Estimate, carried: Estimate)
  /// The same of the mean saturation layer, over the number of layers.
  public let depth: (own: Estimate, blind: Estimate, carried: Estimate)
  /// Word error rate from each layer of the encoder, and of another recording's transcript.
  public let errors: [Estimate]
  public let stranger: Estimate

  /// - Throws: where no token is compared, no word was said, or readings are of models of different depth.
  public init(
    _ readings: [WhisperLensReading], groups: [String], draws: Int, _ random: Random
  ) throws {
    guard readings.count == groups.count, let depth = readings.first?.errors.count,
      readings.allSatisfy({ $0.errors.count == depth }),
      readings.contains(where: { $0.words > 0 })
    else {
      throw CellError(
        "\(readings.count) readings with \(groups.count) groups; give a group for each, of one model, "
          + "and words that were said")
    }
    let compared = readings.map { $0.tokens.filter { $0.blind != nil } }
    let asked = readings.map { $0.tokens.filter { $0.carried != nil } }
    guard compared.contains(where: { !$0.isEmpty }), asked.contains(where: { !$0.isEmpty }) else {
      throw CellError(
        "no token of these transcripts has another one beside it; pair recordings that say other things"
      )
    }
    func mean(
      _ name: String, _ tokens: [[SeenToken]], _ agrees: (SeenToken) -> [Bool],
      _ value: ([Bool]) -> Double
    ) -> Estimate {
      ratioOfMeans(
        tokens.map { $0.reduce(0) { $0 + value(agrees($1)) } }, tokens.map { Double($0.count) },
        groups: groups, draws: draws, random.split(name))
    }
    func all(_ name: String, _ value: ([Bool]) -> Double) -> (Estimate, Estimate, Estimate) {
      (
        mean("\(name) own", compared, \.own, value),
        mean("\(name) blind", compared, { $0.blind ?? [] }, value),
        mean("\(name) carried", asked, { $0.carried ?? [] }, value)
      )
    }
    late = all("late") { isLate(settledLayer($0), of: $0.count) ? 1 : 0 }
    self.depth = all("depth") { Double(settledLayer($0)) / Double($0.count) }
    func rate(_ name: String, _ errors: (WhisperLensReading) -> Int) -> Estimate {
      ratioOfMeans(
        readings.map { Double(errors($0)) }, readings.map { Double($0.words) }, groups: groups,
        draws: draws, random.split(name))
    }
    errors = (0..<depth).map { layer in rate("errors \(layer)") { $0.errors[layer] } }
    stranger = rate("stranger", \.strangerErrors)
  }
}

/// Whether a layer, counted from 1, lies in the last third.
public func isLate(_ layer: Int, of count: Int) -> Bool { 3 * layer > 2 * count }
