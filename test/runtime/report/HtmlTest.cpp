#include "runtime/report/Html.h"

#include <gtest/gtest.h>

#include <cmath>

namespace llamarun {
namespace {

TEST(HtmlText, IsNeverMarkup) {
  EXPECT_EQ(htmlText("<script>\"a\" & 'b'</script>\n\x01"),
            "&lt;script&gt;&quot;a&quot; &amp; &#39;b&#39;&lt;/script&gt;  ");
  EXPECT_EQ(htmlText("é\xff"), "é\ufffd");
}

TEST(ShortNumber, IsShort) {
  EXPECT_EQ(shortNumber(0.69314718), "0.6931");
  EXPECT_EQ(shortNumber(3e-5), "3e-05");
  EXPECT_EQ(shortNumber(1234), "1234");
  EXPECT_EQ(shortNumber(12345), "12,345");
  EXPECT_EQ(shortNumber(-123456789), "-123,456,789");
  EXPECT_EQ(shortNumber(std::nan("")), "-");
  EXPECT_EQ(shortNumber(0), "0");
}

TEST(BytesText, HasUnits) {
  EXPECT_EQ(bytesText(10), "10 B");
  EXPECT_EQ(bytesText(1536), "1.50 KiB");
  EXPECT_EQ(bytesText(3.0 * (1ull << 40)), "3.00 TiB");
}

} // namespace
} // namespace llamarun
