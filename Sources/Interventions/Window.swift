// Windows restrict a site to positions: a stretch of time, or tokens of the language model.

import Speech
import Tensor

/// A set of positions, the same for every stage that it reaches.
public enum Window: Hashable, Sendable {
  /// Positions whose centre lies in [start, end), in milliseconds from the start of the clip.
  case milliseconds(Double, Double)
  /// Positions of the language model, end excluded.
  case tokens(Int, Int)
  /// Every position.
  case all
}

/// Where the positions of each stage lie in time (`reference/models/qwen2-audio.md`, section 7).
public struct Timeline: Sendable {
  /// Positions of the encoder, audio tokens, and positions of the language model.
  public let encoder: Int
  public let audio: Int
  public let tokens: Int
  /// The position of the first audio token in the language model.
  public let firstAudio: Int

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
    switch window {
    case .all: return Array(0..<count(at: stage))
    case .tokens(let start, let end):
      let (first, behind) = (max(0, start), min(end, tokens))
      return stage == .lm && first < behind ? Array(first..<behind) : []
    case .milliseconds(let start, let end):
      return (0..<count(at: stage)).filter {
        guard let centre = centre(of: $0, at: stage) else { return false }
        return centre >= start && centre < end
      }
    }
  }
}
