// The state of a run of Mimi's encoder: behind the convolutions, between the layers of its transformer,
// and at the latents.

import Tensor

/// Runs of Mimi's encoder at one of its cuts.
struct MimiRun: RunState {
  let model: Mimi
  private(set) var copies = 1
  private(set) var cut = 0
  var streams: [Tensor]
  private(set) var rows: Layout

  init(_ model: Mimi, _ samples: [Float], _ tap: Tap?) {
    self.model = model
    let (x, layout) = model.convolved(samples, tap: tap)
    (streams, rows) = ([x], layout)
  }

  var memory: RunMemory { RunMemory() }

  func site(ofStream index: Int) -> Site? { model.cuts[cut].site }

  mutating func forget() {}

  func stacked(_ copies: Int, knowing memory: RunMemory) -> MimiRun {
    var run = self
    run.copies = copies
    run.streams[0] = streams[0].repeated(copies)
    run.rows = rows.repeated(copies)
    return run
  }

  mutating func advance(tap: Tap?) -> Bool {
    switch cut {
    case ..<model.layers: streams[0] = model.layer(cut, streams[0], rows, tap: tap)
    case model.layers: streams[0] = model.latent(streams[0], rows, tap: tap)
    default: return false
    }
    cut += 1
    return true
  }

  /// The latents are what is read.
  var isText: Bool { cut > model.layers }
  var frames: Layout { model.frames(of: rows) }

  var isCausal: Bool { false }
  func positions(of copy: Int) -> Int { (isText ? frames : rows).sequences[copy].count }
  mutating func begin(at firsts: [Int]) {}
  func first(reachedFrom site: Site, _ positions: [Int]) -> Int { 0 }
  func isLaidOutAhead(_ site: Site) -> Bool { false }

  func place(of site: Site, copy: Int) -> Place? {
    model.place(of: site, rows: rows, Copy(index: copy, count: copies))
  }

  /// The latents of each run without padding, [frames, width].
  var latents: [Tensor] { frames.sequences.map { gatherRows(streams[0], Array($0.range)) } }

  func logits(_ reads: (Int) -> [Int], tap: Tap?) -> [Tensor] {
    var run = self
    while run.advance(tap: tap) {}
    return run.latents.map { gatherRows($0, reads($0.rows)) }
  }

  func finished(tap: Tap?) -> ModelRun {
    ModelRun(logits: latents[0]) { place(of: $0, copy: 0) }
  }
}
