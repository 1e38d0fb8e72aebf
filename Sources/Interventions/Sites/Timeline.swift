// Where the positions of the residual stages of a splicing architecture lie in time.

import Speech

/// Where the positions of each stage lie in time (`paper/definitions.md`, D2).
public struct Timeline: Sendable {
  /// Positions of the encoder, audio tokens, and positions of the language model.
  public let encoder: Int
  public let audio: Int
  public let tokens: Int
  /// The position of the first audio token in the language model.
  public let firstAudio: Int

  /// The timeline of a run; stages that the architecture lacks have no positions.
  init(_ run: ModelRun) {
    func spans(_ site: Site) -> [TimeSpan?] { run.place(of: site)?.spans ?? [] }
    let tokens = spans(Site(.lm, .embed))
    encoder = spans(Site(.encoder, .embed)).count
    audio = spans(Site(.connector, .out)).count
    self.tokens = tokens.count
    firstAudio = tokens.firstIndex { $0 != nil } ?? 0
  }

  /// The centre of a position, in milliseconds from the start of the clip; nil for text.
  public func centre(of position: Int, at stage: Site.Stage) -> Double? {
    switch stage {
    case .encoder: return 20 * Double(position)
    case .connector: return 40 * Double(position) + 10
    case .lm:
      let token = position - firstAudio
      return (0..<audio).contains(token) ? 40 * Double(token) + 10 : nil
    default: return nil
    }
  }

  public func count(at stage: Site.Stage) -> Int {
    switch stage {
    case .encoder: encoder
    case .connector: audio
    case .lm: tokens
    default: 0
    }
  }

  /// The positions of a stage inside a window; empty where the stage does not reach it.
  public func positions(in window: Window, at stage: Site.Stage) -> [Int] {
    window.positions(
      in: (0..<count(at: stage)).map { position in
        centre(of: position, at: stage).map { TimeSpan($0, $0) }
      })
  }
}
