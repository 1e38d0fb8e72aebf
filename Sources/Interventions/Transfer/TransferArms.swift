// What is put from a source run into a base run that differs in text and in speaker: parts of the
// connector's output, and what is matched to them (`paper/definitions.md`, D114).

import Corpus
import Speech
import Tensor

/// One intervention on the base run of a crossing.
public enum TransferArm: String, Sendable, CaseIterable {
  /// Nothing; and its own activation, which must change nothing.
  case base
  case own
  /// The whole activation, at every position of the sound and in the changed moment.
  case sound
  case moment
  /// The lexical subspace in the changed moment; at every position of the sound; everything but it in the
  /// changed moment.
  case lexical
  case everywhere = "lexical everywhere"
  case besideLexical = "beside lexical"
  /// The voice's subspace at every position of the sound, and everything but it.
  case voice
  case besideVoice = "beside voice"
  /// Another item's part in the lexical subspace, and the lexical move at another moment, as long as the
  /// real one.
  case wrongItem = "wrong item"
  case otherMoment = "other moment"
  /// Random moves matched to the lexical one, and one matched to the voice's in length.
  case haar = "random: haar"
  case variance = "random: variance"
  case norm = "random: norm"
  case mahalanobis = "random: mahalanobis"
  case randomVoice = "random voice: norm"

  /// The family of random moves matched to the lexical one.
  var family: RandomFamily? {
    switch self {
    case .haar: .haar
    case .variance: .variance
    case .norm: .norm
    case .mahalanobis: .mahalanobis
    default: nil
    }
  }
}

/// The two subspaces of a connector's output, with the natural activations that they were found in.
public struct TransferSubspaces: Codable, Sendable {
  public let lexical: Subspace
  public let voice: Subspace
  public let lexicalNatural: Natural
  public let voiceNatural: Natural

  public init(
    lexical: Subspace, voice: Subspace, lexicalNatural: Natural, voiceNatural: Natural
  ) {
    (self.lexical, self.voice) = (lexical, voice)
    (self.lexicalNatural, self.voiceNatural) = (lexicalNatural, voiceNatural)
  }
}

/// A crossing's runs, and how far each arm moves the base run.
public struct TransferRuns: Sendable {
  public let base: AskedThrice
  public let moves: [TransferArm: Patch]
}

extension SpeechModel {
  /// The site at which transfers are made.
  public static var transferSite: Site { Site(.connector, .out) }

  /// The base run of a crossing and the patch of each arm.
  ///
  /// - Parameters:
  ///   - stranger: a crossing of other words, whose source is the wrong item
  ///   - moment: the width of the changed moment in milliseconds
  ///   - random: of the random moves, which are drawn anew for each crossing
  /// - Returns: nil where the connector keeps no frame of the changed moment
  public func transferRuns(
    of crossing: Crossing, _ subspaces: TransferSubspaces, stranger: Crossing, moment: Double,
    root: String, _ random: Random
  ) throws -> TransferRuns? {
    let free = try asked(crossing, crossing.base, root: root)
    let base = try asked(crossing, crossing.base, root: root, keeping: free.word)
    let source = try model.trace(
      question(
        crossing.source.waveform(root: root), crossing.prompt, answers: crossing.words,
        of: crossing.id
      ).keepingFrames(of: free.word))
    let other = try model.trace(
      question(
        stranger.source.waveform(root: root), stranger.prompt, answers: stranger.words,
        of: stranger.id))

    let site = SpeechModel.transferSite
    func selected(_ window: Window) throws -> Selection? {
      try Selection(Cell(site, window), base: base.word, source: source, .identity)
    }
    guard let all = try selected(.sound), let changed = try selected(crossing.moment(moment)) else {
      return nil
    }
    let (lexical, voice) = (subspaces.lexical, subspaces.voice)
    func rows(_ selection: Selection) -> (base: DoubleMatrix, source: DoubleMatrix) {
      (DoubleMatrix(selection.base), DoubleMatrix(selection.source))
    }
    func patch(_ selection: Selection, by move: DoubleMatrix) -> Patch {
      selection.patch(taking: moved(selection.base, by: move))
    }
    func part(_ subspace: Subspace, _ part: MovedPart, _ selection: Selection) -> Patch {
      let (here, there) = rows(selection)
      return patch(selection, by: subspace.move(part, from: here, to: there))
    }

    let (here, there) = rows(changed)
    let real = lexical.move(.subspace, from: here, to: there)
    let mapped = other.timeline.positions(
      like: changed.positions, of: base.word.timeline, shift: stranger.onset - crossing.onset,
      at: site)
    let wrong = lexical.move(
      .subspace, from: here, to: DoubleMatrix(try other.rows(of: Cell(site), at: mapped)))

    var moves: [TransferArm: Patch] = [
      .own: all.patch(taking: all.base), .sound: all.patch(), .moment: changed.patch(),
      .lexical: patch(changed, by: real), .everywhere: part(lexical, .subspace, all),
      .besideLexical: part(lexical, .complement, changed),
      .voice: part(voice, .subspace, all), .besideVoice: part(voice, .complement, all),
      .wrongItem: patch(changed, by: wrong.rescaled(wrong.squaredNorm, to: real.squaredNorm)),
    ]
    // The same move where nothing was changed: twice its width earlier, or behind where there is no room.
    let earlier = crossing.onset - 2 * moment
    let start = earlier >= 0 ? earlier : crossing.onset + moment
    if let elsewhere = try selected(.milliseconds(start, start + moment)) {
      let rows = elsewhere.positions.count
      let sham = DoubleMatrix(
        rows: rows, columns: real.columns,
        (0..<rows).flatMap { real.row(min($0, real.rows - 1)) })
      moves[.otherMoment] = patch(
        elsewhere, by: sham.rescaled(sham.squaredNorm, to: real.squaredNorm))
    }

    let own = random.split(crossing.id)
    let matched = RandomMoves(matching: lexical, natural: subspaces.lexicalNatural)
    for arm in TransferArm.allCases {
      guard let family = arm.family, matched.canDraw(family) else { continue }
      let directions = try matched.directions(family, own.split(arm.rawValue))
      moves[arm] = patch(
        changed, by: matched.move(family, along: directions, from: here, to: there))
    }
    let voices = RandomMoves(matching: voice, natural: subspaces.voiceNatural)
    let (wholeBase, wholeSource) = rows(all)
    moves[.randomVoice] = patch(
      all,
      by: voices.move(
        .norm, along: try voices.directions(.norm, own.split("voice")), from: wholeBase,
        to: wholeSource))
    return TransferRuns(base: base, moves: moves)
  }

  /// What the base run says in each of some arms, by the arm's name.
  public func transferred(_ runs: TransferRuns, _ arms: [TransferArm]) throws -> [String: Said] {
    var said: [String: Said] = [:]
    for arm in arms {
      guard arm == .base || runs.moves[arm] != nil else { continue }
      said[arm.rawValue] = try self.said(runs.base, runs.moves[arm].map { [$0] } ?? [])
    }
    return said
  }
}
