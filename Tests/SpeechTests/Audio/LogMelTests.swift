// The front end takes frames in blocks on all cores: where a frame lies must not show in its bits.

import Speech
import Tensor
import Testing

@Suite struct LogMelTests {
  static let features = LogMel(bands: 80, samples: 30 * LogMel.rate)

  /// Noise with some tone, so that bands are of many sizes.
  static func sound(_ count: Int, seed: UInt64 = 3) -> [Float] {
    var random = Random(seed: seed)
    return (0..<count).map { i in
      Float(0.1 * random.normal() + 0.3 * Elementary.sin(0.05 * Double(i)))
    }
  }

  /// Half a second, alone at the start of a clip and behind so many frames of silence; of a block's places
  /// the first, the last, one in the middle, and over two.
  @Test(arguments: [1, 60, 120, 252, 256, 511, 2400])
  func frameHasItsBitsWhereverItLies(frames shift: Int) {
    let sound = Self.sound(8000)
    // Silence on both sides, so that no mirror image is heard.
    let alone = [Float](repeating: 0, count: 1600) + sound + [Float](repeating: 0, count: 1600)
    let behind = [Float](repeating: 0, count: shift * LogMel.hop) + alone
    let (first, later) = (Self.features(alone).numbers, Self.features(behind).numbers)
    let bands = Self.features.bands
    #expect(Array(first[..<(65 * bands)]) == Array(later[(shift * bands)..<((shift + 65) * bands)]))
    #expect(Set(first[..<(65 * bands)]).count > 3000)
  }

  /// What a clip ends with decides how many frames its last block has.
  @Test(arguments: [257, 263, 300, 512])
  func frameHasItsBitsWhateverFollows(frames: Int) {
    // The loudest is at the start, so both clips have one floor.
    let loud = Self.sound(8000).map { 4 * $0 }
    let sound = loud + Self.sound(700 * LogMel.hop)
    let whole = Self.features(sound).numbers
    let cut = Self.features(Array(sound[..<(frames * LogMel.hop)])).numbers
    #expect(whole.max() == cut.max())
    // The last two frames reach past the cut.
    let shared = (frames - 2) * Self.features.bands
    #expect(cut[..<shared] == whole[..<shared])
  }
}
