-- Reads a Swift experiment as a document: a `//` comment that starts a line is Markdown prose, all
-- else is code (`///`, indented comments, the lines of a multi-line string).
--
--     pandoc -f paper/weave.lua -s --mathml --css paper/page.css --self-contained \
--       -o page.html Sources/Experiments/e1-causal-map.swift
--
-- The first `# heading` becomes the title. `![](figures/figure2.svg)` shows what a run has made.

local function weave(input)
  local blocks, lines, isProse = pandoc.List(), {}, nil

  local function flush()
    local text = table.concat(lines, "\n"):gsub("^%s*\n", ""):gsub("%s+$", "")
    lines = {}
    if text == "" then return end
    if isProse then
      blocks:extend(pandoc.read(text, "markdown+tex_math_dollars").blocks)
    else
      blocks:insert(pandoc.CodeBlock(text, pandoc.Attr("", { "swift" })))
    end
  end

  local inString = false
  for line in (input .. "\n"):gmatch("(.-)\r?\n") do
    local text = not inString and (line:match("^// ?([^/].*)$") or (line == "//" and "")) or nil
    -- An empty line belongs to what it stands in, and separates paragraphs of prose.
    if line ~= "" and (text ~= nil) ~= isProse then
      flush()
      isProse = text ~= nil
    end
    table.insert(lines, text or (isProse and "" or line))
    if text == nil then
      local _, quotes = line:gsub('"""', "")
      if quotes % 2 == 1 then inString = not inString end
    end
  end
  flush()
  return blocks
end

function Reader(input)
  local blocks = weave(tostring(input))
  local meta = pandoc.Meta({})
  for i, block in ipairs(blocks) do
    if block.t == "Header" and block.level == 1 then
      meta.title = pandoc.MetaInlines(block.content)
      blocks:remove(i)
      break
    end
  end
  return pandoc.Pandoc(blocks, meta)
end
